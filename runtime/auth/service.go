package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

// Staleness is how long another replica may still accept a session or an API key
// revoked on this one, and how long a change of role or is_active made outside this
// package may go unnoticed.
const Staleness = 2 * time.Second

// Service authenticates requests. It is safe for concurrent use; any number of
// Services, in one process or many, can share a database and a secret.
type Service struct {
	cfg          Config
	db           *gorm.DB
	log          *slog.Logger
	keys         []key // the first signs
	parser       *jwt.Parser
	signed       signed
	hasher       hasher
	sessions     *cache[liveSession]
	apiKeys      *cache[liveKey]
	now          func() time.Time
	notify       func(*gorm.DB, Notice) error        // nil: notices are not sent
	confirmEmail func(*gorm.DB, string) error        // sends the confirmation of a new address; nil: the address is valid immediately
	undo         func(*gorm.DB, int64, string) error // sends the link that reverts a change of address; nil: it cannot be reverted
}

// New returns a Service on gdb, whose schema has [Migrations] and a users table.
// Outside production, an empty cfg.Secret is replaced by a random one with a warning:
// sessions do not survive a restart.
func New(cfg Config, gdb *gorm.DB, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.Secret == "" {
		cfg.Secret = randomSecret()
		log.Warn("APP_SECRET is not set: using a random one; a restart logs everyone out")
	}
	keys, err := cfg.keys()
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, db: gdb, log: log, keys: keys,
		hasher:   newHasher(cfg.Env),
		sessions: newCache[liveSession](),
		apiKeys:  newCache[liveKey](),
		now:      time.Now,
	}
	s.parser = s.newParser()
	return s, db.Reserve(gdb, "users", "email", s.reserved)
}

// URL returns the application's public address, without a trailing slash.
func (s *Service) URL() string { return strings.TrimSuffix(s.cfg.URL, "/") }

// Middleware stores the Service in the request's context, where the guards, [From] and
// [Of] find it. Nothing is checked until one of them is called.
func (s *Service) Middleware() gin.HandlerFunc {
	return func(c *gin.Context) {
		a := &requestAuth{service: s, request: c.Request}
		if c.Request.Method != http.MethodGet { // GET requests never hash a password
			a.address = web.ClientIP(c)
		}
		web.Keep(c, contextKey{}, a)
	}
}

// Run calls Purge once an hour until ctx is cancelled. Every replica may run it.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := s.Purge(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "purging what is over", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Purge deletes expired sessions, tokens and failure counts, former addresses past
// their retention, and API keys that have expired or were revoked.
func (s *Service) Purge(ctx context.Context) error {
	now := s.stamp()
	tx := s.db.WithContext(ctx)
	for _, over := range []struct{ rows, where any }{
		{&refreshRow{}, "expires_at <= ?"},
		{&sessionRow{}, "expires_at <= ?"},
		{&oneTimeRow{}, "expires_at <= ?"},
		{&failureRow{}, "ends_at <= ?"},
		{&leftEmailRow{}, "ends_at BETWEEN 1 AND ?"},
		{&apiKeyRow{}, "revoked_at > 0 OR expires_at BETWEEN 1 AND ?"},
	} {
		if err := tx.Where(over.where, now).Delete(over.rows).Error; err != nil {
			return err
		}
	}
	return nil
}

// affected returns the error of a statement, or none if it affected no row.
func affected(result *gorm.DB, none error) error {
	if result.Error == nil && result.RowsAffected == 0 {
		return none
	}
	return result.Error
}

// Client describes where a request comes from. It is stored with a session, so that its
// owner can recognise it, and used by the lockout.
type Client struct {
	Address string // the IP address
	Agent   string // the User-Agent header, cut to 255 characters
}

// ClientOf returns the client of a request. The address is web.ClientIP, which trusts
// forwarded headers only from the configured proxies.
func ClientOf(c *gin.Context) Client {
	agent := []rune(c.Request.UserAgent())
	return Client{Address: web.ClientIP(c), Agent: string(agent[:min(len(agent), 255)])}
}

// network returns the key of the lockout: the IPv4 address, or the /64 prefix within
// which an IPv6 host chooses its addresses.
func (c Client) network() string {
	ip, err := netip.ParseAddr(c.Address)
	if err != nil {
		return c.Address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.WithZone("").Prefix(64) // a /64 is valid for every IPv6 address
	return prefix.String()
}

// stamp returns the current time as stored: in Unix milliseconds.
func (s *Service) stamp() int64 { return s.now().UnixMilli() }

// event writes a record to the security log. Records never contain a secret, nor a name
// typed into a form: users type passwords there by mistake.
func (s *Service) event(ctx context.Context, level slog.Level, name string, attrs ...slog.Attr) {
	s.log.LogAttrs(ctx, level, "security", append([]slog.Attr{slog.String("event", name)}, attrs...)...)
}

// Record writes an event of the application to the security log, next to logins,
// lockouts and the like. No attribute may contain a secret. If the request is made by
// an administrator who impersonates a user, it adds actor_id and the session.
func (s *Service) Record(ctx context.Context, name string, attrs ...slog.Attr) {
	if a, ok := ctx.Value(contextKey{}).(*requestAuth); ok {
		attrs = append(slices.Clip(attrs), a.actor()...)
	}
	s.event(ctx, slog.LevelInfo, name, attrs...)
}

// secret returns 256 random bits as text.
func secret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw)
}

// digest returns the hash under which a random secret is stored.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
