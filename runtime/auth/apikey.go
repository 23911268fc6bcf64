package auth

import (
	"context"
	"fmt"
	"hash/crc32"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

const (
	keyPrefix = "nxk_" // found by secret scanners
	maxKeys   = 50     // active keys per user
	// keyUseEvery is the precision of the recorded last use of a key.
	keyUseEvery = time.Minute
)

// APIKey describes a key to its owner, without its secret.
type APIKey struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"` // first characters of the key
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"` // null: never; precise to a minute
	ExpiresAt  *time.Time `json:"expires_at"`   // null: never
}

// NewAPIKey is a new key, shown only once.
type NewAPIKey struct {
	APIKey
	Key string `json:"key"` // the value of X-API-Key
}

var scopeForm = regexp.MustCompile(`^([a-z][a-z0-9_-]{0,49}:)?(read|write)$`)

// MakeKey creates an API key for the caller. Each scope is "read", "write",
// "<module>:read" or "<module>:write" (see [User]); none means "read". The key expires
// at expires, or never if that is zero. Invalid scopes, an expiry in the past and a
// fifty-first key are 422 faults. So is a scope that no route of the application
// serving ctx requires.
func (s *Service) MakeKey(ctx context.Context, id Identity, name string, scopes []string, expires time.Time) (NewAPIKey, error) {
	if err := id.self(); err != nil {
		return NewAPIKey{}, err
	}
	if len(scopes) == 0 {
		scopes = []string{"read"}
	}
	if details := badScopes(scopes, web.Modules(ctx)); len(details) > 0 {
		return NewAPIKey{}, fault.Invalid(details...)
	}
	if len(strings.Join(scopes, " ")) > 1000 {
		return NewAPIKey{}, fault.Invalid(fault.Detail{Field: "scopes", Rule: "max", Message: "Too many scopes"})
	}
	if !expires.IsZero() && !expires.After(s.now()) {
		return NewAPIKey{}, fault.Invalid(fault.Detail{Field: "expires_at", Rule: "future", Message: "Expires at must be in the future"})
	}
	var live int64
	if err := s.liveKeys(ctx, id.UserID).Model(&apiKeyRow{}).Count(&live).Error; err != nil {
		return NewAPIKey{}, err
	}
	if live >= maxKeys {
		return NewAPIKey{}, fault.Invalid(fault.Detail{Field: "name", Rule: "max", Message: fmt.Sprintf("Too many API keys: at most %d", maxKeys)})
	}
	random := secret()
	text := keyPrefix + random + checksum(random)
	row := apiKeyRow{
		UserID: id.UserID, Name: name, Prefix: text[:len(keyPrefix)+6], Hash: digest(text),
		Scopes: strings.Join(scopes, " "), CreatedAt: s.stamp(),
	}
	if !expires.IsZero() {
		row.ExpiresAt = expires.UnixMilli()
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.Tell(tx, id.UserID, Notice{Event: NoticeKeyMade, About: name})
	})
	if err != nil {
		return NewAPIKey{}, err
	}
	s.event(ctx, slog.LevelInfo, "api_key_made", slog.Int64("user_id", id.UserID), slog.Int64("key", row.ID), slog.String("scopes", row.Scopes))
	return NewAPIKey{APIKey: row.show(), Key: text}, nil
}

// badScopes returns a detail for each invalid scope. Without modules it only checks
// the form.
func badScopes(scopes []string, modules []web.Module) (details []fault.Detail) {
	message := "Scope must be read, write, or like posts:read or posts:write"
	known := scopesOf(modules)
	if modules != nil {
		message = "Scope must be one of " + strings.Join(known, ", ")
	}
	for i, scope := range scopes {
		if !scopeForm.MatchString(scope) || modules != nil && !slices.Contains(known, scope) {
			details = append(details, fault.Detail{Field: fmt.Sprintf("scopes[%d]", i), Rule: "scope", Message: message})
		}
	}
	return details
}

// scopesOf returns the scopes that the guards of the modules' routes require.
func scopesOf(modules []web.Module) []string {
	scopes := []string{"read", "write"}
	for _, m := range modules {
		for _, r := range m.Routes {
			for _, g := range r.Guards {
				if name, ok := strings.CutPrefix(g.Name, scopeGuard); ok {
					scopes = append(scopes, name)
				} else if strings.Contains(g.Scheme, "apiKey") {
					scopes = append(scopes, m.Name+":read", m.Name+":write")
				}
			}
		}
	}
	slices.Sort(scopes[2:])
	return slices.Compact(scopes)
}

// Keys returns the caller's active keys, newest first.
func (s *Service) Keys(ctx context.Context, id Identity) ([]APIKey, error) {
	var rows []apiKeyRow
	err := s.liveKeys(ctx, id.UserID).Order("id DESC").Find(&rows).Error
	list := make([]APIKey, len(rows))
	for i, row := range rows {
		list[i] = row.show()
	}
	return list, err
}

// RevokeKey revokes a key of the caller. A revoked or expired key, or one of another
// user, is a 404 fault.
func (s *Service) RevokeKey(ctx context.Context, id Identity, key int64) error {
	if err := id.self(); err != nil {
		return err
	}
	ended := s.liveKeys(ctx, id.UserID).Model(&apiKeyRow{}).Where("id = ?", key).UpdateColumn("revoked_at", s.stamp())
	if err := affected(ended, fault.NotFound("API key not found")); err != nil {
		return err
	}
	s.apiKeys.forget(func(_ string, live liveKey) bool { return live.id == key })
	s.event(ctx, slog.LevelInfo, "api_key_revoked", slog.Int64("user_id", id.UserID), slog.Int64("key", key))
	return nil
}

func (r apiKeyRow) show() APIKey {
	key := APIKey{ID: r.ID, Name: r.Name, Prefix: r.Prefix, Scopes: strings.Fields(r.Scopes), CreatedAt: instant(r.CreatedAt)}
	if r.LastUsedAt != 0 {
		key.LastUsedAt = new(instant(r.LastUsedAt))
	}
	if r.ExpiresAt != 0 {
		key.ExpiresAt = new(instant(r.ExpiresAt))
	}
	return key
}

// liveKey is the state of a valid key, cached for Staleness.
type liveKey struct {
	id       int64
	userID   int64
	username string
	role     string
	scopes   []string
	expires  time.Time // zero: never
}

// authenticateKey returns the identity of an API key.
func (s *Service) authenticateKey(ctx context.Context, text string) (Identity, error) {
	random, ok := strings.CutPrefix(text, keyPrefix)
	if at := len(random) - checksumSize; !ok || at < 32 || at > 64 || checksum(random[:at]) != random[at:] {
		return Identity{}, invalidToken() // a typing error or a guess: not worth a query
	}
	hash := digest(text)
	live, ok, err := s.liveKey(ctx, hash)
	if err != nil {
		return Identity{}, err
	}
	if !ok {
		return Identity{}, invalidToken()
	}
	lacksFactor := false
	if slices.Contains(s.cfg.Factor, live.role) {
		f, err := factorsOf(s.db.WithContext(ctx), live.userID)
		if err != nil {
			return Identity{}, err
		}
		lacksFactor = !f.any()
	}
	return Identity{
		UserID: live.userID, Username: live.username, Role: live.role, KeyID: live.id, Scopes: slices.Clone(live.scopes), lacksFactor: lacksFactor,
		alive: func(ctx context.Context) (bool, error) {
			now, ok, err := s.liveKey(ctx, hash)
			return ok && now.username == live.username && now.role == live.role, err
		},
	}, nil
}

func (s *Service) liveKey(ctx context.Context, hash string) (liveKey, bool, error) {
	now := s.now()
	live, ok, err := s.apiKeys.get(hash, now, func() (liveKey, bool, error) {
		var row struct {
			ID         int64
			UserID     int64
			Scopes     string
			ExpiresAt  int64
			LastUsedAt int64
			Username   string
			Role       string
		}
		found := s.db.WithContext(ctx).Table("auth_api_keys").
			Select("auth_api_keys.id, auth_api_keys.user_id, auth_api_keys.scopes, auth_api_keys.expires_at, auth_api_keys.last_used_at, users.username, users.role").
			Joins("JOIN users ON users.id = auth_api_keys.user_id").
			Where("auth_api_keys.hash = ? AND auth_api_keys.revoked_at = 0 AND users.is_active = ?", hash, true).
			Limit(1).Find(&row)
		if found.Error != nil || found.RowsAffected == 0 {
			return liveKey{}, false, found.Error
		}
		live := liveKey{id: row.ID, userID: row.UserID, username: row.Username, role: row.Role, scopes: strings.Fields(row.Scopes)}
		if row.ExpiresAt != 0 {
			live.expires = time.UnixMilli(row.ExpiresAt)
		}
		if before := now.Add(-keyUseEvery).UnixMilli(); row.LastUsedAt < before && ctx.Value(withoutWriting{}) == nil {
			used := s.db.WithContext(ctx).Model(&apiKeyRow{}).Where("id = ? AND last_used_at < ?", row.ID, before)
			if err := used.UpdateColumn("last_used_at", now.UnixMilli()).Error; err != nil {
				return liveKey{}, false, err
			}
		}
		return live, true, nil
	})
	return live, ok && (live.expires.IsZero() || now.Before(live.expires)), err
}

const checksumSize = 8

// checksum returns the end of a key, by which a scanner, or this server without a
// query, can tell a key from a similar text.
func checksum(random string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(random)))
}

func (s *Service) liveKeys(ctx context.Context, userID int64) *gorm.DB {
	return s.db.WithContext(ctx).Where("user_id = ? AND revoked_at = 0 AND (expires_at = 0 OR expires_at > ?)", userID, s.stamp())
}
