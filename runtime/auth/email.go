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

// undoFor is how long the owner of an account can take back the address that a change
// has replaced, from when the new one counts.
const undoFor = 7 * 24 * time.Hour

// ownAfter is how long an account has an address that it never confirmed, until that
// is its own as one that is confirmed: within this time it may be a slip of the keyboard,
// and somebody else's.
const ownAfter = 24 * time.Hour

// HoldEmails has a new address count only once it is confirmed (see
// [Service.EmailChanged]), for which confirm asks, in the transaction of the
// change. It is to be called before the service is used.
func (s *Service) HoldEmails(confirm func(tx *gorm.DB, email string) error) { s.holds = confirm }

// OfferUndo lets the owner of an account undo a change of its address, for a week from
// when the new one counts: offer sends them a letter of [Service.UndoLetter], in the
// transaction of what makes it count. A change by an administrator cannot be undone, and
// ends what was offered before it: it may be away from a mailbox that somebody else
// reads, who has changed the address too. Nor can one away from an
// address that was never confirmed and that the account has had for less than 24 hours:
// it may be mistyped. It is to be called before the service is used.
func (s *Service) OfferUndo(offer func(tx *gorm.DB, userID int64, email string) error) {
	s.undo = offer
}

// EmailChanged notes in tx that the address of a user is another one now, and
// tells the one before. With [Service.HoldEmails] the new one does not count
// until it is confirmed: letters that reset the password and notices go to the
// one before, so that whoever gets hold of a session cannot take the account.
//
// It clears email_confirmed_at, which must still be that of the address before: whether
// it was confirmed decides whether the change can be undone.
//
// An address is nobody else's for as long as its account can take it back, until the
// new one is confirmed and for the time of [Service.OfferUndo]: writing it into the
// table users is refused as for one that another user has.
func (s *Service) EmailChanged(tx *gorm.DB, userID int64, before string) error {
	caller, err := callerOf(tx.Statement.Context)
	own := err == nil && caller.UserID == userID && caller.ActorID == 0
	tx = tx.Session(&gorm.Session{NewDB: true})
	var user account
	if err := tx.Where("id = ?", userID).Limit(1).Find(&user).Error; err != nil || user.ID == 0 {
		return err
	}
	had, err := s.had(tx, userID)
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
	counts := before
	if open.UserID != 0 {
		counts = open.Email
	}
	if !own {
		if err := s.endUndo(tx, userID); err != nil {
			return err
		}
	}
	if err := s.leave(tx, user, counts, open.UserID != 0, own && had); err != nil {
		return err
	}
	if s.holds != nil {
		if err := s.holds(tx, user.Email); err != nil {
			return err
		}
	}
	return s.Tell(tx, userID, Notice{Event: NoticeEmailChanged, Email: counts, About: user.Email})
}

// had reports whether the address that a user is changing from was theirs: they had
// confirmed it, or had it for [ownAfter].
func (s *Service) had(tx *gorm.DB, userID int64) (bool, error) {
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

// endUndo ends what was offered to undo of a user's changes. Since when they had which
// address is still known; see had.
func (s *Service) endUndo(tx *gorm.DB, userID int64) error {
	if err := tx.Where("user_id = ? AND ends_at = 0", userID).Delete(&leftEmailRow{}).Error; err != nil {
		return err
	}
	return tx.Model(&leftEmailRow{}).Where("user_id = ?", userID).Updates(map[string]any{"email": "", "folded": ""}).Error
}

// sameMailbox reports whether two addresses differ in case alone. Those that [db.Fold]
// makes equal may have different domains: straße.de and strasse.de (RFC 5891) have.
func sameMailbox(a, b string) bool {
	//lint:ignore SA6005 EqualFold takes ς for σ, which are different domains too
	return strings.ToLower(a) == strings.ToLower(b)
}

// leave keeps the address that a user has changed from; undo, if they may take it back.
// While a change is not confirmed, further ones alter nothing of that: the first has said
// which address counts, and whether it was theirs.
func (s *Service) leave(tx *gorm.DB, user account, before string, unconfirmed, undo bool) error {
	folded := db.Fold(before)
	back := sameMailbox(before, user.Email)
	left := leftEmailRow{UserID: user.ID, Email: before, Folded: folded}
	switch {
	case s.holds == nil:
		if back || s.undo == nil {
			return nil
		}
		left.EndsAt = s.now().Add(undoFor).UnixMilli()
		if !undo {
			left.Email, left.Folded = "", "" // it says only since when they have the new one: see had
			return tx.Create(&left).Error
		}
		if err := tx.Create(&left).Error; err != nil {
			return err
		}
		return s.undo(tx, user.ID, before)
	case back:
		return s.settle(tx, user.ID)
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

// settle forgets a change of a user's address that is not confirmed.
func (s *Service) settle(tx *gorm.DB, userID int64) error {
	if err := tx.Where("user_id = ? AND ends_at = 0", userID).Delete(&leftEmailRow{}).Error; err != nil {
		return err
	}
	return tx.Where("user_id = ?", userID).Delete(&formerEmailRow{}).Error
}

// emailConfirmed has the new address of a user count, and offers to undo that.
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
	return s.settle(tx, userID)
}

// ReleaseEmail makes way for somebody who writes email into users, userID or 0 for a new
// account: another account that has changed to it without confirming it goes back to the
// address that counts, and is told. Whoever typed an address in has not shown that it is
// theirs, and must not keep out whoever it belongs to. An account that was registered with
// the address keeps it: a reset by mail gives that to who reads its mailbox.
//
// Call it in the transaction of the write, before it. It needs [Service.HoldEmails].
func (s *Service) ReleaseEmail(tx *gorm.DB, userID int64, email string) error {
	if s.holds == nil {
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
	if set.Error != nil || set.RowsAffected == 0 { // confirmed in the meantime
		return set.Error
	}
	if err := s.settle(tx, user.ID); err != nil {
		return err
	}
	s.event(tx.Statement.Context, slog.LevelWarn, "email_released", slog.Int64("user_id", user.ID), slog.Int64("taken_by", userID))
	return s.Tell(tx, user.ID, Notice{Event: NoticeEmailChanged, About: before.Email})
}

// reserved reports whether an address that was just written into the table users is
// kept for the account of another user; see [db.Reserve].
func (s *Service) reserved(tx *gorm.DB, folded []string) (bool, error) {
	type kept struct {
		UserID int64
		Email  string
	}
	var former, left []kept
	if err := tx.Model(&formerEmailRow{}).Where("folded IN ?", folded).Find(&former).Error; err != nil {
		return false, err
	}
	// After that: the confirmation of a change moves an address from there to here.
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

// reachable is the address of a user that counts: the one before the last
// change, until the new one is confirmed.
func (s *Service) reachable(tx *gorm.DB, user account) (string, error) {
	row, err := s.unconfirmed(tx, user.ID)
	if err != nil || row.UserID == 0 {
		return user.Email, err
	}
	return row.Email, nil
}

// unconfirmed finds the address of a user that counts while a change is not confirmed;
// the zero row when there is none.
func (s *Service) unconfirmed(tx *gorm.DB, userID int64) (formerEmailRow, error) {
	var row formerEmailRow
	if s.holds == nil {
		return row, nil
	}
	err := tx.Where("user_id = ?", userID).Limit(1).Find(&row).Error
	return row, err
}

// UndoLetter makes a token for the page that resets the password, which gives an active
// user the address back that they have changed from. It is false when there is nothing
// to undo any more.
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
	letter, err := s.write(ctx, user, purposeUndo, instant(left.EndsAt))
	return letter, err == nil, err
}

// left finds the address that a user can take back; the first, if they have left it
// more than once.
func (s *Service) left(tx *gorm.DB, userID int64, email string) (leftEmailRow, error) {
	var row leftEmailRow
	err := tx.Where("user_id = ? AND folded = ? AND ends_at > ?", userID, db.Fold(email), s.stamp()).Order("id").Limit(1).Find(&row).Error
	return row, err
}

// restore gives a user the address back that a letter was sent to, if it has one to
// give back; a 400 fault if it does not hold any more.
func (s *Service) restore(tx *gorm.DB, user account, letter oneTimeRow) error {
	if letter.Purpose == purposeUndo {
		left, err := s.left(tx, user.ID, letter.Email)
		if err != nil {
			return err
		}
		if left.ID == 0 {
			return badToken()
		}
		// Whoever changed it may have left others since: those do not come back.
		if err := tx.Where("user_id = ? AND id >= ?", user.ID, left.ID).Delete(&leftEmailRow{}).Error; err != nil {
			return err
		}
		counts, err := s.reachable(tx, user)
		if err != nil {
			return err
		}
		if err := s.takeBack(tx, user, left.Email); err != nil || counts == left.Email {
			return err
		}
		return s.Tell(tx, user.ID, Notice{Event: NoticeEmailChanged, Email: counts, About: left.Email})
	}
	counts, err := s.reachable(tx, user)
	if err != nil {
		return err
	}
	if counts != letter.Email {
		return badToken()
	}
	if counts == user.Email {
		return nil
	}
	return s.takeBack(tx, user, counts)
}

// takeBack undoes a change of address, unless another account has the one before by now:
// an older version did not keep it.
func (s *Service) takeBack(tx *gorm.DB, user account, before string) error {
	if err := tx.Where("user_id = ? AND purpose = ?", user.ID, purposeConfirm).Delete(&oneTimeRow{}).Error; err != nil {
		return err
	}
	var taken int64
	if err := db.WhereFold(tx.Model(&account{}), "email", before).Where("id <> ?", user.ID).Count(&taken).Error; err != nil || taken > 0 {
		return err
	}
	set := map[string]any{"email": before, "email_confirmed_at": s.now().UTC()} // the letter has confirmed it
	if err := tx.Model(&account{}).Where("id = ?", user.ID).Updates(set).Error; err != nil {
		return err
	}
	s.event(tx.Statement.Context, slog.LevelWarn, "email_restored", slog.Int64("user_id", user.ID))
	return s.settle(tx, user.ID)
}
