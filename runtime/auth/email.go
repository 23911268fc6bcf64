package auth

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
)

// undoFor is how long the owner of an account can revert a change of address after the
// new one has taken effect.
const undoFor = 7 * 24 * time.Hour

// ownAfter is how long an account must have had an unconfirmed address for it to be
// treated as the user's own, like a confirmed one: until then it may be a typing error,
// and someone else's address.
const ownAfter = 24 * time.Hour

// HoldEmails makes a new address take effect only when it is confirmed (see
// [Service.EmailChanged]). confirm requests the confirmation, in the transaction of the
// change. Call it before the service is used.
func (s *Service) HoldEmails(confirm func(tx *gorm.DB, email string) error) { s.confirmEmail = confirm }

// OfferUndo lets the owner of an account revert a change of its address, for a week
// after the new one takes effect: offer sends them the letter of [Service.UndoLetter],
// in the transaction in which it takes effect. A change by an administrator cannot be
// reverted and invalidates earlier offers: it may be a change away from a mailbox under
// an attacker's control. Nor can a change from an address that was never confirmed and
// that the account has had for less than 24 hours: it may be mistyped. Call it before
// the service is used.
func (s *Service) OfferUndo(offer func(tx *gorm.DB, userID int64, email string) error) {
	s.undo = offer
}

// EmailChanged records in tx that the address of a user has changed from before, and
// notifies that address. With [Service.HoldEmails] the new address has no effect until
// it is confirmed: password resets and notices go to the previous one, so that a stolen
// session is not enough to take over the account.
//
// It clears email_confirmed_at, which must still be that of the previous address:
// whether that was confirmed decides whether the change can be reverted.
//
// An address stays reserved for as long as its account can revert to it, that is until
// the new one is confirmed and for the period of [Service.OfferUndo]: writing it into
// the users table fails as for an address of another user.
func (s *Service) EmailChanged(tx *gorm.DB, userID int64, before string) error {
	caller, err := callerOf(tx.Statement.Context)
	own := err == nil && caller.UserID == userID && caller.ActorID == 0
	tx = tx.Session(&gorm.Session{NewDB: true})
	var user account
	if err := tx.Where("id = ?", userID).Limit(1).Find(&user).Error; err != nil || user.ID == 0 {
		return err
	}
	ownedAddress, err := s.ownedAddress(tx, userID)
	if err != nil {
		return err
	}
	if err := tx.Model(&user).Where("email_confirmed_at IS NOT NULL").Update("email_confirmed_at", nil).Error; err != nil {
		return err
	}
	open, err := s.unconfirmed(tx, userID)
	if err != nil {
		return err
	}
	effective := before
	if open.UserID != 0 {
		effective = open.Email
	}
	if !own {
		if err := s.endUndo(tx, userID); err != nil {
			return err
		}
	}
	if err := s.recordChange(tx, user, effective, open.UserID != 0, own && ownedAddress); err != nil {
		return err
	}
	if s.confirmEmail != nil {
		if err := s.confirmEmail(tx, user.Email); err != nil {
			return err
		}
	}
	return s.Tell(tx, userID, Notice{Event: NoticeEmailChanged, Email: effective, About: user.Email})
}

// ownedAddress reports whether the address that a user is changing from was their own:
// confirmed, or theirs for [ownAfter].
func (s *Service) ownedAddress(tx *gorm.DB, userID int64) (bool, error) {
	since := s.now().Add(-ownAfter)
	var confirmed, old, recent int64
	if err := tx.Model(&account{}).Where("id = ? AND email_confirmed_at IS NOT NULL", userID).Count(&confirmed).Error; err != nil || confirmed > 0 {
		return confirmed > 0, err
	}
	if err := tx.Model(&account{}).Where("id = ? AND created_at <= ?", userID, since.UTC()).Count(&old).Error; err != nil || old == 0 {
		return false, err
	}
	err := tx.Model(&leftEmailRow{}).Where("user_id = ? AND ends_at > ?", userID, since.Add(undoFor).UnixMilli()).Count(&recent).Error
	return recent == 0, err
}

// endUndo invalidates the offers to revert a user's changes of address. It keeps since
// when they had which address; see ownedAddress.
func (s *Service) endUndo(tx *gorm.DB, userID int64) error {
	if err := tx.Where("user_id = ? AND ends_at = 0", userID).Delete(&leftEmailRow{}).Error; err != nil {
		return err
	}
	return tx.Model(&leftEmailRow{}).Where("user_id = ?", userID).Updates(map[string]any{"email": "", "folded": ""}).Error
}

// sameMailbox reports whether two addresses differ only in case. Addresses that are
// equal under [db.Fold] may have different domains, as straße.de and strasse.de do (RFC
// 5891).
func sameMailbox(a, b string) bool {
	//lint:ignore SA6005 EqualFold takes ς for σ, which are different domains too
	return strings.ToLower(a) == strings.ToLower(b)
}

// recordChange records the address that a user has changed from, and with undo that
// they may revert to it. While a change is unconfirmed, further changes have no effect
// on this: the first one determines which address is in effect and whether it was the
// user's own.
func (s *Service) recordChange(tx *gorm.DB, user account, before string, unconfirmed, undo bool) error {
	folded := db.Fold(before)
	back := sameMailbox(before, user.Email)
	left := leftEmailRow{UserID: user.ID, Email: before, Folded: folded}
	switch {
	case s.confirmEmail == nil:
		if back || s.undo == nil {
			return nil
		}
		left.EndsAt = s.now().Add(undoFor).UnixMilli()
		if !undo {
			left.Email, left.Folded = "", "" // records only since when they have the new one; see ownedAddress
			return tx.Create(&left).Error
		}
		if err := tx.Create(&left).Error; err != nil {
			return err
		}
		return s.undo(tx, user.ID, before)
	case back:
		return s.clearUnconfirmed(tx, user.ID)
	case unconfirmed:
		return nil
	}
	row := formerEmailRow{UserID: user.ID, Email: before, Folded: folded}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return err
	}
	if !undo || s.undo == nil {
		return nil
	}
	return tx.Create(&left).Error
}

// clearUnconfirmed deletes the record of an unconfirmed change of a user's address.
func (s *Service) clearUnconfirmed(tx *gorm.DB, userID int64) error {
	if err := tx.Where("user_id = ? AND ends_at = 0", userID).Delete(&leftEmailRow{}).Error; err != nil {
		return err
	}
	return tx.Where("user_id = ?", userID).Delete(&formerEmailRow{}).Error
}

// emailConfirmed makes a user's new address take effect and offers to revert that.
func (s *Service) emailConfirmed(tx *gorm.DB, userID int64) error {
	var left leftEmailRow
	if err := tx.Where("user_id = ? AND ends_at = 0", userID).Limit(1).Find(&left).Error; err != nil {
		return err
	}
	if left.ID != 0 && s.undo != nil {
		if err := tx.Model(&left).Update("ends_at", s.now().Add(undoFor).UnixMilli()).Error; err != nil {
			return err
		}
		if err := s.undo(tx, userID, left.Email); err != nil {
			return err
		}
	}
	return s.clearUnconfirmed(tx, userID)
}

// ReleaseEmail frees email for a user about to write it into users, userID or 0 for a
// new account: another account that has changed to it without confirming it reverts to
// the address in effect, and is notified. Entering an address does not prove ownership
// and must not lock out its owner. An account that was registered with the address
// keeps it: whoever reads its mailbox can reset its password.
//
// Call it before the write, in the same transaction. It requires [Service.HoldEmails].
func (s *Service) ReleaseEmail(tx *gorm.DB, userID int64, email string) error {
	if s.confirmEmail == nil {
		return nil
	}
	tx = tx.Session(&gorm.Session{NewDB: true})
	var user account
	err := db.WhereFold(tx, "email", email).Where("id <> ? AND email_confirmed_at IS NULL", userID).Limit(1).Find(&user).Error
	if err != nil || user.ID == 0 {
		return err
	}
	before, err := s.unconfirmed(tx, user.ID)
	if err != nil || before.UserID == 0 {
		return err
	}
	set := tx.Model(&account{}).Where("id = ? AND email = ? AND email_confirmed_at IS NULL", user.ID, user.Email).Update("email", before.Email)
	if set.Error != nil || set.RowsAffected == 0 { // confirmed meanwhile
		return set.Error
	}
	if err := s.clearUnconfirmed(tx, user.ID); err != nil {
		return err
	}
	s.event(tx.Statement.Context, slog.LevelWarn, "email_released", slog.Int64("user_id", user.ID), slog.Int64("taken_by", userID))
	return s.Tell(tx, user.ID, Notice{Event: NoticeEmailChanged, About: before.Email})
}

// reserved reports whether an address just written into the users table is reserved for
// another user; see [db.Reserve].
func (s *Service) reserved(tx *gorm.DB, folded []string) (bool, error) {
	type kept struct {
		UserID int64
		Email  string
	}
	var former, left []kept
	if err := tx.Model(&formerEmailRow{}).Where("folded IN ?", folded).Find(&former).Error; err != nil {
		return false, err
	}
	// In this order, since confirming a change moves an address from the first table to
	// the second.
	if err := tx.Model(&leftEmailRow{}).Where("folded IN ? AND folded <> '' AND ends_at > ?", folded, s.stamp()).Find(&left).Error; err != nil {
		return false, err
	}
	for _, k := range append(former, left...) {
		var others int64
		if err := db.WhereFold(tx.Model(&account{}), "email", k.Email).Where("id <> ?", k.UserID).Count(&others).Error; err != nil || others > 0 {
			return others > 0, err
		}
	}
	return false, nil
}

// effectiveEmail returns the address of a user that is in effect: the previous one,
// until the new one is confirmed.
func (s *Service) effectiveEmail(tx *gorm.DB, user account) (string, error) {
	row, err := s.unconfirmed(tx, user.ID)
	if err != nil || row.UserID == 0 {
		return user.Email, err
	}
	return row.Email, nil
}

// unconfirmed returns the address in effect of a user with an unconfirmed change, or
// the zero row.
func (s *Service) unconfirmed(tx *gorm.DB, userID int64) (formerEmailRow, error) {
	var row formerEmailRow
	if s.confirmEmail == nil {
		return row, nil
	}
	err := tx.Where("user_id = ?", userID).Limit(1).Find(&row).Error
	return row, err
}

// UndoLetter creates a token for the password reset page that reverts an active user to
// an address they have changed from. It returns false if that is no longer possible.
func (s *Service) UndoLetter(ctx context.Context, userID int64, email string) (Letter, bool, error) {
	var user account
	tx := s.db.WithContext(ctx)
	if err := tx.Where("id = ? AND is_active = ?", userID, true).Limit(1).Find(&user).Error; err != nil || user.ID == 0 {
		return Letter{}, false, err
	}
	left, err := s.left(tx, userID, email)
	if err != nil || left.ID == 0 {
		return Letter{}, false, err
	}
	user.Email = left.Email
	letter, err := s.createToken(ctx, user, purposeUndo, instant(left.EndsAt))
	return letter, err == nil, err
}

// left returns the address that a user can revert to; the first record, if they have
// changed from it more than once.
func (s *Service) left(tx *gorm.DB, userID int64, email string) (leftEmailRow, error) {
	var row leftEmailRow
	err := tx.Where("user_id = ? AND folded = ? AND ends_at > ?", userID, db.Fold(email), s.stamp()).Order("id").Limit(1).Find(&row).Error
	return row, err
}

// restore reverts a user to the address that a letter was sent to, if they have changed
// from it. It returns a 400 fault if the letter is no longer valid.
func (s *Service) restore(tx *gorm.DB, user account, letter oneTimeRow) error {
	if letter.Purpose == purposeUndo {
		left, err := s.left(tx, user.ID, letter.Email)
		if err != nil {
			return err
		}
		if left.ID == 0 {
			return badToken()
		}
		// An attacker may have changed the address again since: those addresses are not
		// offered.
		if err := tx.Where("user_id = ? AND id >= ?", user.ID, left.ID).Delete(&leftEmailRow{}).Error; err != nil {
			return err
		}
		effective, err := s.effectiveEmail(tx, user)
		if err != nil {
			return err
		}
		if err := s.revertEmail(tx, user, left.Email); err != nil || effective == left.Email {
			return err
		}
		return s.Tell(tx, user.ID, Notice{Event: NoticeEmailChanged, Email: effective, About: left.Email})
	}
	effective, err := s.effectiveEmail(tx, user)
	if err != nil {
		return err
	}
	if effective != letter.Email {
		return badToken()
	}
	if effective == user.Email {
		return nil
	}
	return s.revertEmail(tx, user, effective)
}

// revertEmail reverts a change of address, unless another account has the previous one
// by now: older versions did not reserve it.
func (s *Service) revertEmail(tx *gorm.DB, user account, before string) error {
	if err := tx.Where("user_id = ? AND purpose = ?", user.ID, purposeConfirm).Delete(&oneTimeRow{}).Error; err != nil {
		return err
	}
	var taken int64
	if err := db.WhereFold(tx.Model(&account{}), "email", before).Where("id <> ?", user.ID).Count(&taken).Error; err != nil || taken > 0 {
		return err
	}
	set := map[string]any{"email": before, "email_confirmed_at": s.now().UTC()} // the letter proves that the address is theirs
	if err := tx.Model(&account{}).Where("id = ?", user.ID).Updates(set).Error; err != nil {
		return err
	}
	s.event(tx.Statement.Context, slog.LevelWarn, "email_restored", slog.Int64("user_id", user.ID))
	return s.clearUnconfirmed(tx, user.ID)
}
