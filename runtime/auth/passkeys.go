package auth

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/fault"
)

// maxPasskeys is the maximum number of passkeys per user.
const maxPasskeys = 20

// Passkey is a passkey as shown to its owner.
type Passkey struct {
	ID         int64     `json:"id"`
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
}

// Credential is a stored passkey. Record is opaque to this package; package
// passkeys reads and writes it.
type Credential struct {
	UserID   int64
	Username string
	ID       []byte // assigned by the authenticator
	Record   string
}

// Passkeys returns the caller's passkeys.
func (s *Service) Passkeys(ctx context.Context, id Identity) ([]Passkey, error) {
	var rows []passkeyRow
	err := s.db.WithContext(ctx).Where("user_id = ?", id.UserID).Order("id").Limit(maxPasskeys).Find(&rows).Error
	list := make([]Passkey, len(rows))
	for i, row := range rows {
		list[i] = row.public()
	}
	return list, err
}

// Credentials returns the stored passkeys of a user.
func (s *Service) Credentials(ctx context.Context, userID int64) ([]Credential, error) {
	return s.credentials(ctx, "auth_passkeys.user_id = ?", userID)
}

// CredentialOf returns the stored passkey of an active user, or false if there is
// none.
func (s *Service) CredentialOf(ctx context.Context, credentialID []byte) (Credential, bool, error) {
	list, err := s.credentials(ctx, "auth_passkeys.hash = ?", digest(string(credentialID)))
	if err != nil || len(list) == 0 {
		return Credential{}, false, err
	}
	return list[0], true, nil
}

func (s *Service) credentials(ctx context.Context, where string, arg any) ([]Credential, error) {
	var rows []struct {
		UserID                         int64
		Username, CredentialID, Record string
	}
	err := s.db.WithContext(ctx).Table("auth_passkeys").
		Select("auth_passkeys.user_id, users.username, auth_passkeys.credential_id, auth_passkeys.record").
		Joins("JOIN users ON users.id = auth_passkeys.user_id").
		Where(where, arg).Where("users.is_active = ?", true).Order("auth_passkeys.id").Limit(maxPasskeys).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	list := make([]Credential, len(rows))
	for i, row := range rows {
		id, err := hex.DecodeString(row.CredentialID)
		if err != nil {
			return nil, err
		}
		list[i] = Credential{row.UserID, row.Username, id, row.Record}
	}
	return list, nil
}

// AddPasskey stores a passkey of the caller. Require a fresh session for it. The
// proof is that of the challenge, which can be used once. It returns a 409 fault if
// the passkey is already registered or the caller has too many.
func (s *Service) AddPasskey(ctx context.Context, id Identity, p Proof, name string, c Credential) (Passkey, error) {
	name = strings.TrimSpace(name)
	row := passkeyRow{
		UserID: id.UserID, Hash: digest(string(c.ID)), CredentialID: hex.EncodeToString(c.ID), Name: name, Record: c.Record,
		CreatedAt: s.stamp(), LastUsedAt: s.stamp(),
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var user account // locked, so that concurrent requests count each other's
		if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Where("id = ?", id.UserID).Limit(1).Find(&user).Error; err != nil {
			return err
		}
		if err := mayEnrol(tx, id); err != nil {
			return err
		}
		var has int64
		if err := tx.Model(&passkeyRow{}).Where("user_id = ?", id.UserID).Count(&has).Error; err != nil {
			return err
		}
		if has >= maxPasskeys {
			return fault.Conflict("You have too many passkeys: remove one first")
		}
		if err := s.spend(tx, p); err != nil {
			return signedInError(err)
		}
		if err := tx.Create(&row).Error; err != nil {
			if fault.From(err).Status == http.StatusConflict {
				err = fault.Conflict("This passkey is already registered")
			}
			return err
		}
		if err := recordTwoFactors(tx, id.SessionID); err != nil { // adding a passkey verifies the user
			return err
		}
		return s.Tell(tx, id.UserID, Notice{Event: NoticeLoginAdded, About: "passkey " + name})
	})
	if err != nil {
		return Passkey{}, err
	}
	s.sessions.forgetKey(id.SessionID)
	s.event(ctx, slog.LevelInfo, "passkey_added", slog.Int64("user_id", id.UserID), slog.Int64("passkey", row.ID), slog.String("session", id.SessionID))
	return row.public(), nil
}

// RenamePasskey renames a passkey of the caller. It returns a 404 fault for a
// passkey of another user.
func (s *Service) RenamePasskey(ctx context.Context, id Identity, passkey int64, name string) (Passkey, error) {
	var row passkeyRow
	if err := id.self(); err != nil {
		return Passkey{}, err
	}
	tx := s.db.WithContext(ctx)
	if err := tx.Where("id = ? AND user_id = ?", passkey, id.UserID).Limit(1).Find(&row).Error; err != nil {
		return Passkey{}, err
	}
	if row.ID == 0 {
		return Passkey{}, noPasskey()
	}
	row.Name = strings.TrimSpace(name)
	return row.public(), tx.Model(&row).UpdateColumn("name", row.Name).Error
}

// RemovePasskey removes a passkey of the caller. It returns a 404 fault for a
// passkey of another user, and 409 if it is the caller's only way to log in.
func (s *Service) RemovePasskey(ctx context.Context, id Identity, passkey int64) error {
	return s.removeLogin(ctx, id, func(tx *gorm.DB) (string, error) {
		var row passkeyRow
		err := tx.Where("id = ? AND user_id = ?", passkey, id.UserID).Limit(1).Find(&row).Error
		if err == nil && row.ID == 0 {
			err = noPasskey()
		}
		if err != nil {
			return "", err
		}
		if err := tx.Delete(&row).Error; err != nil {
			return "", err
		}
		return "passkey " + row.Name, resetFactors(tx, id.UserID)
	})
}

// UsedPasskey updates a passkey's record after a login. Of two concurrent updates,
// one wins.
func (s *Service) UsedPasskey(ctx context.Context, before Credential, record string) error {
	return s.db.WithContext(ctx).Model(&passkeyRow{}).
		Where("hash = ?", digest(string(before.ID))).
		UpdateColumns(map[string]any{"record": record, "last_used_at": s.stamp()}).Error
}

// CopiedPasskey records in the security log that a passkey's signature counter went
// backwards: it may have been cloned.
func (s *Service) CopiedPasskey(ctx context.Context, client Client, c Credential) {
	s.event(ctx, slog.LevelWarn, "passkey_copied", slog.Int64("user_id", c.UserID), slog.String("address", client.Address))
}

func noPasskey() *fault.Error { return fault.NotFound("Passkey not found") }

func (r passkeyRow) public() Passkey {
	return Passkey{r.ID, r.Name, instant(r.CreatedAt), instant(r.LastUsedAt)}
}
