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

// Staleness is how long another replica may still accept a session or an API
// key that this one has revoked, and how long a change of role or is_active
// made behind this package's back goes unseen.
const Staleness = 2 * time.Second

// Service authenticates requests. It is safe for concurrent use, and any number of
// them, in one process or many, may share one database and secret.
type Service struct {
	cfg      Config
	db       *gorm.DB
	log      *slog.Logger
	keys     []key // the first signs
	parser   *jwt.Parser
	signed   signed
	hasher   hasher
	sessions *cache[liveSession]
	apiKeys  *cache[liveKey]
	now      func() time.Time
	notify   func(*gorm.DB, Notice) error        // nil: nobody is told
	holds    func(*gorm.DB, string) error        // asks to confirm a new address; nil: it counts at once
	undo     func(*gorm.DB, int64, string) error // offers to undo a change of address; nil: it cannot be undone
}

// New makes a Service on gdb, whose schema has [Migrations] and a users table.
// Outside production an empty cfg.Secret becomes a random one, with a warning:
// nobody stays logged in over a restart.
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

// URL is the application's public address, without a slash at its end.
func (s *Service) URL() string { return strings.TrimSuffix(s.cfg.URL, "/") }

// Middleware puts the Service into the request's context, where the guards,
// [From] and [Of] find it. Nothing is checked until one of them asks.
func (s *Service) Middleware() gin.HandlerFunc {
	return func(c *gin.Context) {
		a := &asker{service: s, request: c.Request}
		if c.Request.Method != http.MethodGet { // which hashes nothing
			a.address = web.ClientIP(c)
		}
		web.Keep(c, contextKey{}, a)
	}
}

// Run removes what has expired, once an hour until ctx ends. Every replica may
// run it.
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

// Purge removes what is over: expired sessions, tokens and failure counts, addresses
// that are kept no longer, and API keys that expired or were revoked.
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

// affected is the error of a statement, or none if it met no row.
func affected(result *gorm.DB, none error) error {
	if result.Error == nil && result.RowsAffected == 0 {
		return none
	}
	return result.Error
}

// Client is where a request comes from, kept with a session so that its owner
// can recognise it, and counted by the lockout.
type Client struct {
	Address string // the IP address
	Agent   string // the User-Agent header, cut to 255 characters
}

// ClientOf reads the client of a request. The address is web.ClientIP: it
// believes forwarded headers only from the configured proxies.
func ClientOf(c *gin.Context) Client {
	agent := []rune(c.Request.UserAgent())
	return Client{Address: web.ClientIP(c), Agent: string(agent[:min(len(agent), 255)])}
}

// network is what the lockout counts: the address, or the /64 an IPv6 host
// gets to pick its addresses from.
func (c Client) network() string {
	ip, err := netip.ParseAddr(c.Address)
	if err != nil {
		return c.Address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.WithZone("").Prefix(64) // 64 fits every IPv6 address
	return prefix.String()
}

// stamp is the current time as it is stored: Unix milliseconds.
func (s *Service) stamp() int64 { return s.now().UnixMilli() }

// event writes one record to the security log. Records never hold a secret,
// nor a name that was typed into a form: people type passwords there.
func (s *Service) event(ctx context.Context, level slog.Level, name string, attrs ...slog.Attr) {
	s.log.LogAttrs(ctx, level, "security", append([]slog.Attr{slog.String("event", name)}, attrs...)...)
}

// Record writes an event of the application's own to the security log, beside
// logins, locks and the like. No attribute may hold a secret. In a request by an
// administrator who impersonates a user it adds their actor_id and the session.
func (s *Service) Record(ctx context.Context, name string, attrs ...slog.Attr) {
	if a, ok := ctx.Value(contextKey{}).(*asker); ok {
		attrs = append(slices.Clip(attrs), a.actor()...)
	}
	s.event(ctx, slog.LevelInfo, name, attrs...)
}

// secret is 256 random bits as text.
func secret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw)
}

// digest is how a random secret is stored.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
