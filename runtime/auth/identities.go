package auth

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Person is a user as authenticated by an identity provider. Subject is the
// issuer's permanent identifier of the user; everything else may change.
type Person struct {
	Issuer        string
	Subject       string
	Email         string
	EmailVerified bool
	Username      string // at the provider; a suggestion for a new account
}

func (p Person) hash() string { return digest(p.Issuer + "\n" + p.Subject) }

// provider returns a readable name for the issuer.
func (p Person) provider() string {
	if u, err := url.Parse(p.Issuer); err == nil && u.Host != "" {
		return u.Host
	}
	return p.Issuer
}

// Recognise returns the user whose account is linked to the person. If there is
// none, it links the account that has confirmed the same e-mail address, provided
// that the identity provider has verified it too; if no account has the address,
// register creates one. It returns a 403 fault if the provider has not verified the
// address, and 409 if the account has not confirmed it, since anybody could have
// entered it.
func (s *Service) Recognise(ctx context.Context, p Person, register func(tx *gorm.DB) (userID int64, err error)) (userID int64, err error) {
	linked := false
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		row, err := findIdentity(tx, p)
		if err != nil || row.ID != 0 {
			userID = row.UserID
			if err == nil {
				err = tx.Model(&row).UpdateColumn("last_used_at", s.stamp()).Error
			}
			return err
		}
		if p.Email == "" || !p.EmailVerified {
			return fault.Forbidden("The provider has not verified your e-mail address")
		}
		email := strings.TrimSpace(p.Email)
		if err := s.ReleaseEmail(tx, 0, email); err != nil {
			return err
		}
		var user account
		if err := db.WhereFold(tx, "email", email).Limit(1).Find(&user).Error; err != nil {
			return err
		}
		if userID = user.ID; userID == 0 {
			if userID, err = register(tx); err != nil {
				return err
			}
			return tx.Create(s.identityOf(userID, p)).Error
		}
		var confirmed int64
		if err := tx.Model(&account{}).Where("id = ? AND email = ? AND email_confirmed_at IS NOT NULL", user.ID, user.Email).Count(&confirmed).Error; err != nil {
			return err
		}
		if confirmed == 0 || !sameMailbox(user.Email, email) {
			return fault.Conflict("An account with this e-mail address exists but has not confirmed it. Log in to it and confirm the address first")
		}
		linked = true
		return s.link(tx, userID, p)
	})
	if err == nil && linked {
		s.event(ctx, slog.LevelWarn, "login_linked", slog.Int64("user_id", userID), slog.String("issuer", p.Issuer))
	}
	return userID, err
}

// LinkedUser returns the user whose account is linked to the person, or 0.
func (s *Service) LinkedUser(ctx context.Context, p Person) (int64, error) {
	row, err := findIdentity(s.db.WithContext(ctx), p)
	return row.UserID, err
}

// Link links the person to the caller's account. Require a fresh session for it.
// It returns a 409 fault if the person is linked to another account.
func (s *Service) Link(ctx context.Context, id Identity, p Person) error {
	if err := id.self(); err != nil {
		return err
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		row, err := findIdentity(tx, p)
		switch {
		case err != nil || row.UserID == id.UserID:
			return err
		case row.ID != 0:
			return fault.Conflict("This login is linked to another account")
		}
		return s.link(tx, id.UserID, p)
	})
	if err == nil {
		s.event(ctx, slog.LevelWarn, "login_linked", slog.Int64("user_id", id.UserID), slog.String("issuer", p.Issuer), slog.String("session", id.SessionID))
	}
	return err
}

func (s *Service) link(tx *gorm.DB, userID int64, p Person) error {
	if err := tx.Create(s.identityOf(userID, p)).Error; err != nil {
		if fault.From(err).Status == http.StatusConflict { // meanwhile
			err = fault.Conflict("This login is linked to another account")
		}
		return err
	}
	return s.Tell(tx, userID, Notice{Event: NoticeLoginAdded, About: p.provider()})
}

func (s *Service) identityOf(userID int64, p Person) *identityRow {
	return &identityRow{UserID: userID, Hash: p.hash(), Issuer: cut(p.Issuer), Email: cut(p.Email), CreatedAt: s.stamp(), LastUsedAt: s.stamp()}
}

func findIdentity(tx *gorm.DB, p Person) (identityRow, error) {
	var row identityRow
	err := tx.Where("hash = ?", p.hash()).Limit(1).Find(&row).Error
	return row, err
}

// LinkedLogin is a linked account at an identity provider, as shown to its owner.
type LinkedLogin struct {
	ID         int64     `json:"id"`
	Issuer     string    `json:"issuer"`
	Email      string    `json:"email"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
}

// LinkedLogins returns the caller's linked logins, at most 100.
func (s *Service) LinkedLogins(ctx context.Context, id Identity) ([]LinkedLogin, error) {
	var rows []identityRow
	err := s.db.WithContext(ctx).Where("user_id = ?", id.UserID).Order("id").Limit(100).Find(&rows).Error
	list := make([]LinkedLogin, len(rows))
	for i, row := range rows {
		list[i] = LinkedLogin{row.ID, row.Issuer, row.Email, instant(row.CreatedAt), instant(row.LastUsedAt)}
	}
	return list, err
}

// Unlink removes a linked login of the caller. It returns a 404 fault for a login
// of another user, and 409 if it is the caller's only way to log in.
func (s *Service) Unlink(ctx context.Context, id Identity, login int64) error {
	return s.removeLogin(ctx, id, func(tx *gorm.DB) (string, error) {
		var row identityRow
		err := tx.Where("id = ? AND user_id = ?", login, id.UserID).Limit(1).Find(&row).Error
		if err == nil && row.ID == 0 {
			err = fault.NotFound("Login not found")
		}
		if err != nil {
			return "", err
		}
		return Person{Issuer: row.Issuer}.provider(), tx.Delete(&row).Error
	})
}

// removeLogin removes one of the caller's login methods, unless it is the last. remove
// deletes it and returns its name.
func (s *Service) removeLogin(ctx context.Context, id Identity, remove func(tx *gorm.DB) (about string, err error)) error {
	var about string
	if err := id.self(); err != nil {
		return err
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var user account // locked, so that two requests cannot remove the last two
		if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Where("id = ?", id.UserID).Limit(1).Find(&user).Error; err != nil {
			return err
		}
		var err error
		if about, err = remove(tx); err != nil {
			return err
		}
		left, err := loginMethods(tx, user)
		if err != nil {
			return err
		}
		if left == 0 {
			return fault.Conflict("This is the only way to log in to your account. Set a password first")
		}
		return s.Tell(tx, id.UserID, Notice{Event: NoticeLoginRemoved, About: about})
	})
	if err == nil {
		s.Forget(id.UserID)
		s.event(ctx, slog.LevelWarn, "login_removed", slog.Int64("user_id", id.UserID), slog.String("session", id.SessionID), slog.String("login", about))
	}
	return err
}

// loginMethods counts the user's login methods.
func loginMethods(tx *gorm.DB, user account) (int64, error) {
	var ways, passkeys int64
	if err := tx.Model(&identityRow{}).Where("user_id = ?", user.ID).Count(&ways).Error; err != nil {
		return 0, err
	}
	if err := tx.Model(&passkeyRow{}).Where("user_id = ?", user.ID).Count(&passkeys).Error; err != nil {
		return 0, err
	}
	ways += passkeys
	if _, _, _, ok := parsePHC(user.PasswordHash); ok {
		ways++
	}
	return ways, nil
}

// cut truncates a provider's text to the width of its column.
func cut(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), 255)])
}
