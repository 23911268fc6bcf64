package auth

import (
	"context"
	"log/slog"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Credentials is the input of a login.
type Credentials struct {
	Username string // case-insensitive
	Password string
	Code     string // of the second factor, or a recovery code; empty if there is none
}

// Login checks credentials and opens a session with an access and a refresh token. An
// unknown or inactive user and a wrong password are the same 401 fault after the same
// time; a locked account or address is 429.
func (s *Service) Login(ctx context.Context, client Client, in Credentials) (Grant, error) {
	user, err := s.findUser(ctx, in.Username)
	if err != nil {
		return Grant{}, err
	}
	if user, err = s.verify(ctx, client, user, in, true, invalidCredentials()); err != nil {
		return Grant{}, err
	}
	return s.openTokens(ctx, client, user, true)
}

// OpenSession opens a session of an active user without checking credentials, for a
// login that was verified in another way, such as single sign-on. The session is not
// fresh (see [Fresh]) until [Service.Confirm]. A user who does not exist or is inactive
// is a 401 fault.
func (s *Service) OpenSession(ctx context.Context, client Client, userID int64) (Grant, error) {
	var user account
	if err := s.db.WithContext(ctx).Where("id = ?", userID).Limit(1).Find(&user).Error; err != nil {
		return Grant{}, err
	}
	return s.openTokens(ctx, client, user, false)
}

func (s *Service) openTokens(ctx context.Context, client Client, user account, fresh bool) (Grant, error) {
	var (
		session sessionRow
		row     refreshRow
		token   = secret()
	)
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var err error
		if session, err = s.open(tx, user, client, kindToken, "", fresh); err != nil {
			return err
		}
		row, err = s.store(tx, token, session)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	s.event(ctx, slog.LevelInfo, "login", slog.Int64("user_id", user.ID), slog.String("session", session.ID), slog.String("address", client.Address))
	return s.grant(user.ID, token, row)
}

// Confirm checks the caller's password and, if they have one, second factor again, as a
// login does, and makes the session fresh (see [Fresh]). A wrong password or code is a
// 400 fault and counts towards the lockout; a missing code is 422.
func (s *Service) Confirm(ctx context.Context, client Client, id Identity, password, code string) error {
	if _, err := s.verifySelf(ctx, client, id, Credentials{Password: password, Code: code}, true); err != nil {
		return signedInError(err)
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		f, err := factorsOf(tx, id.UserID)
		if err != nil {
			return err
		}
		return confirmed(tx, id.SessionID, s.stamp(), f.login())
	})
	if err != nil {
		return err
	}
	s.sessions.forgetKey(id.SessionID)
	s.event(ctx, slog.LevelInfo, "password_confirmed", slog.Int64("user_id", id.UserID), slog.String("session", id.SessionID))
	return nil
}

// ChangePassword sets a new password after checking the old one, and ends all other
// sessions of the user and, if keys is true, revokes all API keys. A wrong old password
// is a 400 fault and counts towards the lockout. The policy is not applied to next
// here.
func (s *Service) ChangePassword(ctx context.Context, client Client, id Identity, old, next string, keys bool) error {
	user, err := s.verifySelf(ctx, client, id, Credentials{Password: old}, false)
	if err != nil {
		return err
	}
	hash, err := s.Hash(ctx, next)
	if err != nil {
		return err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		set := tx.Model(&account{}).Where("id = ? AND password_hash = ?", user.ID, user.PasswordHash).Update("password_hash", hash)
		if err := affected(set, incorrectPassword()); err != nil { // another change came first
			return err
		}
		return s.passwordChanged(tx, user.ID, id.SessionID, keys)
	})
	if err != nil {
		return err
	}
	s.Forget(user.ID)
	s.event(ctx, slog.LevelInfo, "password_changed", slog.Int64("user_id", user.ID), slog.String("session", id.SessionID), slog.Bool("keys_revoked", keys))
	return nil
}

// passwordChanged ends all sessions of the user except keep, revokes their API keys if
// keys is true, deletes pending password resets and notifies the user.
func (s *Service) passwordChanged(tx *gorm.DB, userID int64, keep string, keys bool) error {
	if _, err := s.revoke(tx, "user_id = ? AND id <> ?", userID, keep); err != nil {
		return err
	}
	if keys {
		if err := tx.Model(&apiKeyRow{}).Where("user_id = ? AND revoked_at = 0", userID).UpdateColumn("revoked_at", s.stamp()).Error; err != nil {
			return err
		}
	}
	if err := tx.Where("user_id = ? AND purpose = ?", userID, purposeReset).Delete(&oneTimeRow{}).Error; err != nil {
		return err
	}
	return s.Tell(tx, userID, Notice{Event: NoticePasswordChanged})
}

// verify checks a password and, with factor, the second factor of a user who has one;
// wrong is the error for a failure. The lockout is checked while holding a slot of the
// hasher and again after hashing: however many attempts run concurrently, a correct
// guess is accepted only while fewer failures than the limit are counted, and a wrong
// one takes just as long.
func (s *Service) verify(ctx context.Context, client Client, user account, in Credentials, factor bool, wrong *fault.Error) (account, error) {
	byAccount, byAddress := counters(client, in.Username, user)
	leave, err := s.hasher.enter(ctx, client.network())
	if err != nil {
		return user, err
	}
	defer leave()
	if err := s.locked(ctx, byAccount, byAddress); err != nil {
		return user, err
	}
	ok, outdated := s.hasher.match(user.PasswordHash, in.Password)
	if err := s.locked(ctx, byAccount, byAddress); err != nil {
		return user, err
	}
	if ok && user.IsActive && factor {
		if ok, err = s.secondFactor(ctx, user.ID, in.Code); err != nil {
			return user, err
		}
	}
	if !ok || !user.IsActive {
		s.event(ctx, slog.LevelWarn, "login_failed", slog.Int64("user_id", user.ID), slog.String("address", client.Address))
		if err := s.failed(ctx, byAccount, byAddress); err != nil {
			return user, err
		}
		return user, wrong
	}
	if err := s.succeeded(ctx, byAccount); err != nil {
		return user, err
	}
	if outdated {
		return s.rehash(ctx, user, in.Password)
	}
	return user, nil
}

// verifySelf checks the password of the signed-in user and, with factor, the second
// factor: a wrong one is a 400 fault, where a login returns 401.
func (s *Service) verifySelf(ctx context.Context, client Client, id Identity, in Credentials, factor bool) (account, error) {
	var user account
	if err := id.self(); err != nil {
		return user, err
	}
	if err := s.db.WithContext(ctx).Where("id = ?", id.UserID).Limit(1).Find(&user).Error; err != nil {
		return user, err
	}
	return s.verify(ctx, client, user, in, factor, incorrectPassword())
}

// rehash updates the stored hash to the current cost. The caller must hold a slot of
// the hasher.
func (s *Service) rehash(ctx context.Context, user account, password string) (account, error) {
	hash := s.hasher.make(password)
	set := s.db.WithContext(ctx).Model(&account{}).Where("id = ? AND password_hash = ?", user.ID, user.PasswordHash)
	if set = set.UpdateColumn("password_hash", hash); set.Error != nil || set.RowsAffected == 0 {
		return user, set.Error // changed meanwhile: open detects it
	}
	user.PasswordHash = hash
	return user, nil
}

// findUser returns the user with this name, ignoring case, or the zero account.
func (s *Service) findUser(ctx context.Context, name string) (account, error) {
	return s.findFold(ctx, "username", name)
}

func (s *Service) findFold(ctx context.Context, column, value string) (account, error) {
	var user account
	err := db.WhereFold(s.db.WithContext(ctx), column, strings.TrimSpace(value)).Limit(1).Find(&user).Error
	return user, err
}

// lockUnchanged locks the user's row for the transaction, provided that they are active
// and their password is still the one that was checked.
func (s *Service) lockUnchanged(tx *gorm.DB, user account) (bool, error) {
	var same account
	err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Select("id").
		Where("id = ? AND password_hash = ? AND is_active = ?", user.ID, user.PasswordHash, true).
		Limit(1).Find(&same).Error
	return same.ID != 0, err
}

// foldName returns the form of a name in which names of the same user are equal.
func foldName(name string) string { return db.Fold(strings.TrimSpace(name)) }
