package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxToken bounds the tokens that are parsed, in bytes; ours have about 330.
const maxToken = 1024

// claims are the claims of an access token. They do not include the user's role: it is
// looked up with the session, so that revoking it takes effect immediately.
type claims struct {
	Subject   string           `json:"sub"` // the user's id
	IssuedAt  *jwt.NumericDate `json:"iat"`
	ExpiresAt *jwt.NumericDate `json:"exp"`
	ID        string           `json:"jti"`
	Session   string           `json:"sid"`
}

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (c *claims) GetIssuer() (string, error)                   { return "", nil }
func (c *claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// newParser returns a parser that accepts only HS256, whatever the token's header says
// (RFC 8725, 3.1), and only tokens that expire.
func (s *Service) newParser() *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return s.now() }),
	)
}

// sign returns an access token of a session.
func (s *Service) sign(userID int64, session string) (string, error) {
	now := s.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, &claims{
		Subject:   strconv.FormatInt(userID, 10),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(s.cfg.AccessTTL)),
		ID:        randomID(),
		Session:   session,
	})
	token.Header["kid"] = s.keys[0].kid
	return token.SignedString(s.keys[0].access)
}

var errUnknownKey = errors.New("unknown kid")

// signed caches the claims of access tokens whose signature was valid, by the hash of
// the token: clients send each token many times. Expiry and the session are still
// checked every time.
type signed struct {
	mu     sync.RWMutex
	claims map[[sha256.Size]byte]*claims
}

func (s *signed) get(hash [sha256.Size]byte) *claims {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.claims[hash]
}

func (s *signed) keep(hash [sha256.Size]byte, c *claims) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims == nil || len(s.claims) >= cacheSize {
		s.claims = make(map[[sha256.Size]byte]*claims)
	}
	s.claims[hash] = c
}

// parse verifies an access token's signature and times, but not its session. The claims
// are shared: do not modify them.
func (s *Service) parse(token string) (*claims, error) {
	if len(token) > maxToken {
		return nil, jwt.ErrTokenMalformed
	}
	hash := sha256.Sum256([]byte(token))
	if c := s.signed.get(hash); c != nil && s.now().Before(c.ExpiresAt.Time) {
		return c, nil
	}
	c := &claims{}
	_, err := s.parser.ParseWithClaims(token, c, func(t *jwt.Token) (any, error) {
		for i := range s.keys {
			if t.Header["kid"] == s.keys[i].kid {
				return s.keys[i].access, nil
			}
		}
		return nil, errUnknownKey
	})
	if err == nil {
		s.signed.keep(hash, c)
	}
	return c, err
}

// Authenticate returns the identity of an access token. It returns a 401 fault if the
// token is forged or expired or its session has ended.
func (s *Service) Authenticate(ctx context.Context, token string) (Identity, error) {
	c, err := s.parse(token)
	if err != nil {
		return Identity{}, invalidToken()
	}
	live, ok, err := s.liveSession(ctx, c.Session)
	if err != nil {
		return Identity{}, err
	}
	if !ok || live.kind != kindToken || c.Subject != live.subject {
		return Identity{}, invalidToken()
	}
	return s.identity(c.Session, live), nil
}
