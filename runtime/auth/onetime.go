package auth

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Purposes of one-time tokens and their lifetimes.
const (
	purposeReset   = "reset"
	purposeConfirm = "confirm"
	purposeUndo    = "undo" // reverts a change of address: a reset by the previous address

	resetFor   = time.Hour
	confirmFor = 24 * time.Hour
)

// pageOf maps purposes to the pages that take their tokens.
var pageOf = map[string]string{purposeReset: "/reset-password", purposeConfirm: "/confirm-email", purposeUndo: "/reset-password"}

// mailTries is the number of mails of one purpose sent to a user within an
// AUTH_LOCKOUT, whoever requests them.
const mailTries = 3

// Letter is a one-time token and its recipient.
type Letter struct {
	UserID   int64
	Username string
	Email    string
	Token    string
	// Link is the page of APP_URL that takes the token: /reset-password or
	// /confirm-email. The token is in the fragment, which browsers never send to a
	// server, so that it is not logged.
	Link    string
	Expires time.Time
}

// ResetLetter creates a token that sets a new password, for the active user with this
// e-mail address. It returns false if there is none, or if they have been sent the
// maximum number of letters for now. Call it from a job, not while a client waits for
// the response: its duration reveals whether the address is known.
func (s *Service) ResetLetter(ctx context.Context, email string) (Letter, bool, error) {
	user, err := s.findByEffectiveEmail(ctx, email)
	if err != nil || user.ID == 0 || !user.IsActive {
		return Letter{}, false, err
	}
	if user.Email, err = s.effectiveEmail(s.db.WithContext(ctx), user); err != nil {
		return Letter{}, false, err
	}
	return s.letter(ctx, user, purposeReset, resetFor)
}

// findByEffectiveEmail returns the user by the address in effect, or the zero account.
func (s *Service) findByEffectiveEmail(ctx context.Context, email string) (account, error) {
	tx := s.db.WithContext(ctx)
	if s.confirmEmail != nil {
		var before formerEmailRow
		if err := tx.Where("folded = ?", db.Fold(strings.TrimSpace(email))).Limit(1).Find(&before).Error; err != nil {
			return account{}, err
		}
		if before.UserID != 0 {
			// Anybody may have entered the address and not confirmed it: it belongs to
			// the user who has confirmed it.
			var user account
			err := db.WhereFold(tx, "email", strings.TrimSpace(email)).Where("email_confirmed_at IS NOT NULL").Limit(1).Find(&user).Error
			if err == nil && user.ID == 0 {
				err = tx.Where("id = ?", before.UserID).Limit(1).Find(&user).Error
			}
			return user, err
		}
	}
	user, err := s.findFold(ctx, "email", email)
	if err != nil || user.ID == 0 {
		return user, err
	}
	if effective, err := s.effectiveEmail(tx, user); err != nil || effective != user.Email {
		return account{}, err
	}
	return user, nil
}

// ConfirmLetter creates a token that confirms an e-mail address, for the active user
// who has it and has not confirmed it. It returns false in the same cases as
// ResetLetter; call it from a job too.
func (s *Service) ConfirmLetter(ctx context.Context, email string) (Letter, bool, error) {
	user, err := s.findFold(ctx, "email", email)
	if err != nil || user.ID == 0 || !user.IsActive {
		return Letter{}, false, err
	}
	var open int64
	err = s.db.WithContext(ctx).Model(&account{}).Where("id = ? AND email_confirmed_at IS NULL", user.ID).Count(&open).Error
	if err != nil || open == 0 {
		return Letter{}, false, err
	}
	return s.letter(ctx, user, purposeConfirm, confirmFor)
}

func (s *Service) letter(ctx context.Context, user account, purpose string, lifetime time.Duration) (Letter, bool, error) {
	tx := s.db.WithContext(ctx)
	var live int64
	since := s.now().Add(lifetime - s.cfg.Lockout).UnixMilli() // issued within the last Lockout
	err := tx.Model(&oneTimeRow{}).Where("user_id = ? AND purpose = ? AND expires_at > ?", user.ID, purpose, since).Count(&live).Error
	if err != nil || live >= mailTries {
		return Letter{}, false, err
	}
	letter, err := s.createToken(ctx, user, purpose, s.now().Add(lifetime).UTC())
	return letter, err == nil, err
}

// createToken creates a token for a user's address.
func (s *Service) createToken(ctx context.Context, user account, purpose string, expires time.Time) (Letter, error) {
	letter := Letter{UserID: user.ID, Username: user.Username, Email: user.Email, Token: secret(), Expires: expires}
	letter.Link = s.URL() + pageOf[purpose] + "#token=" + letter.Token
	row := oneTimeRow{Hash: digest(letter.Token), UserID: user.ID, Purpose: purpose, Email: user.Email, ExpiresAt: expires.UnixMilli()}
	if err := s.db.WithContext(ctx).Create(&row).Error; err != nil {
		return Letter{}, err
	}
	s.event(ctx, slog.LevelInfo, purpose+"_requested", slog.Int64("user_id", user.ID))
	return letter, nil
}

// Withdraw invalidates the token of a letter that could not be sent. The letter then
// does not count towards the user's limit.
func (s *Service) Withdraw(ctx context.Context, l Letter) error {
	return s.db.WithContext(ctx).Where("hash = ?", digest(l.Token)).Delete(&oneTimeRow{}).Error
}

// ResetPassword sets a new password with the token of a letter, and removes every other
// access to the account: all sessions, API keys, passkeys and logins at providers. Any
// of them may belong to someone who knew the old password, or who registered with
// another person's address. If the token was sent to an address that the account
// changed away from, before the new one was confirmed or by [Service.UndoLetter], it
// also restores that address.
//
// It applies the password policy itself, since only here the user's own words are
// known; field is the name of the password in the details. A used, expired or unknown
// token is a 400 fault, and so is one sent to an address that is no longer the user's.
// It does not log in and leaves the second factor enabled.
func (s *Service) ResetPassword(ctx context.Context, token, field, next string) error {
	row, user, err := s.peek(ctx, token, purposeReset, purposeUndo)
	if err != nil {
		return err
	}
	if err := CheckPassword(field, next, user.Username, user.Email); err != nil {
		return err
	}
	hash, err := s.Hash(ctx, next)
	if err != nil {
		return err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.consume(tx, row); err != nil {
			return err
		}
		var current account
		err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Where("id = ?", user.ID).Limit(1).Find(&current).Error
		if err != nil {
			return err
		}
		if err := s.restore(tx, current, row); err != nil {
			return err
		}
		set := tx.Model(&account{}).Where("id = ?", user.ID).Update("password_hash", hash)
		if err := affected(set, badToken()); err != nil {
			return err
		}
		if err := s.dropLogins(tx, current); err != nil {
			return err
		}
		if err := tx.Where("subject = ?", "user:"+strconv.FormatInt(user.ID, 10)).Delete(&failureRow{}).Error; err != nil {
			return err
		}
		return s.passwordChanged(tx, user.ID, "", true)
	})
	if err != nil {
		return err
	}
	s.Forget(user.ID)
	s.event(ctx, slog.LevelInfo, "password_reset", slog.Int64("user_id", user.ID))
	return nil
}

// dropLogins removes a user's logins at providers and passkeys. Passkeys are kept if
// the user's role requires a second factor: access to a mailbox alone must not be
// enough to enrol another one.
func (s *Service) dropLogins(tx *gorm.DB, user account) error {
	logins := tx.Where("user_id = ?", user.ID).Delete(&identityRow{})
	if logins.Error != nil {
		return logins.Error
	}
	removed, about := logins.RowsAffected, "all logins at providers"
	if !slices.Contains(s.cfg.Factor, user.Role) {
		keys := tx.Where("user_id = ?", user.ID).Delete(&passkeyRow{})
		if keys.Error != nil {
			return keys.Error
		}
		removed, about = removed+keys.RowsAffected, "all passkeys and logins at providers"
	}
	if removed == 0 {
		return nil
	}
	return s.Tell(tx, user.ID, Notice{Event: NoticeLoginRemoved, About: about})
}

// ConfirmEmail marks the address that a letter was sent to as confirmed, if it is still
// the user's. A used, expired or unknown token is a 400 fault.
func (s *Service) ConfirmEmail(ctx context.Context, token string) error {
	row, user, err := s.peek(ctx, token, purposeConfirm)
	if err != nil {
		return err
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := s.consume(tx, row); err != nil {
			return err
		}
		set := tx.Model(&account{}).Where("id = ? AND email = ?", user.ID, row.Email).Update("email_confirmed_at", s.now().UTC())
		if err := affected(set, badToken()); err != nil {
			return err
		}
		return s.emailConfirmed(tx, user.ID)
	})
	if err != nil {
		return err
	}
	s.event(ctx, slog.LevelInfo, "email_confirmed", slog.Int64("user_id", user.ID))
	return nil
}

// peek returns a valid token and its user without consuming it.
func (s *Service) peek(ctx context.Context, token string, purposes ...string) (oneTimeRow, account, error) {
	var (
		row  oneTimeRow
		user account
	)
	tx := s.db.WithContext(ctx)
	err := tx.Where("hash = ? AND purpose IN ? AND expires_at > ?", digest(token), purposes, s.stamp()).Limit(1).Find(&row).Error
	if err != nil {
		return row, user, err
	}
	if row.Hash == "" {
		return row, user, badToken()
	}
	err = tx.Where("id = ? AND is_active = ?", row.UserID, true).Limit(1).Find(&user).Error
	if err == nil && user.ID == 0 {
		err = badToken()
	}
	return row, user, err
}

// consume invalidates a token; of two concurrent attempts, one succeeds.
func (s *Service) consume(tx *gorm.DB, row oneTimeRow) error {
	return affected(tx.Where("hash = ? AND expires_at > ?", row.Hash, s.stamp()).Delete(&oneTimeRow{}), badToken())
}

func badToken() *fault.Error { return fault.BadRequest("Invalid or expired token") }
