package auth

import (
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
)

// What a Notice is about.
const (
	NoticeNewDevice       = "new_device"       // a login from a device that was not seen before
	NoticePasswordChanged = "password_changed" // also by a reset
	NoticeFactorAdded     = "factor_added"
	NoticeFactorRemoved   = "factor_removed"
	NoticeRecoveryCodes   = "recovery_codes" // they were replaced
	NoticeKeyMade         = "key_made"       // About is the API key's name
	NoticeEmailChanged    = "email_changed"  // About is the new address
	NoticeLoginAdded      = "login_added"    // another way to log in, which About names
	NoticeLoginRemoved    = "login_removed"  // likewise
)

// Notice is what the owner of an account is told when something changes that
// decides who gets in: it may have been somebody else.
type Notice struct {
	Event    string    `json:"event"`
	UserID   int64     `json:"user_id"`
	Username string    `json:"username"`
	Email    string    `json:"email"` // where to send it
	Address  string    `json:"address,omitempty"`
	Agent    string    `json:"agent,omitempty"` // with Address, the client of a login
	About    string    `json:"about,omitempty"`
	At       time.Time `json:"at"`
}

// Notify has tell called with every notice, in the transaction of what it is
// about: what tell enqueues there is sent if that holds and not otherwise. It is
// to be called before the service is used.
func (s *Service) Notify(tell func(tx *gorm.DB, n Notice) error) { s.notify = tell }

// HoldEmails has a new address count only once it is confirmed (see
// [Service.EmailChanged]), for which confirm asks, in the transaction of the
// change. It is to be called before the service is used.
func (s *Service) HoldEmails(confirm func(tx *gorm.DB, email string) error) { s.holds = confirm }

// tell tells the owner of an account what has happened to it.
func (s *Service) tell(tx *gorm.DB, userID int64, n Notice) error {
	if s.notify == nil {
		return nil
	}
	tx = tx.Session(&gorm.Session{NewDB: true})
	var user account
	if err := tx.Where("id = ?", userID).Limit(1).Find(&user).Error; err != nil || user.ID == 0 {
		return err
	}
	if n.Email == "" {
		var err error
		if n.Email, err = s.reachable(tx, user); err != nil {
			return err
		}
	}
	n.UserID, n.Username, n.At = user.ID, user.Username, s.now().UTC()
	return s.notify(tx, n)
}

// tellOfDevice tells a user of a login with a client that none of the sessions
// has which are not purged yet. The first login of an account is not told: an
// account that is older than this has had one.
func (s *Service) tellOfDevice(tx *gorm.DB, user account, client Client) error {
	const firstLogin = time.Hour
	if s.notify == nil {
		return nil
	}
	var known []sessionRow
	if err := tx.Select("address", "agent").Where("user_id = ?", user.ID).Order("created_at DESC").Limit(1000).Find(&known).Error; err != nil {
		return err
	}
	for _, session := range known {
		if session.Agent == client.Agent && (Client{Address: session.Address}).network() == client.network() {
			return nil
		}
	}
	if len(known) == 0 {
		var created struct{ CreatedAt time.Time }
		err := tx.Table("users").Select("created_at").Where("id = ?", user.ID).Limit(1).Find(&created).Error
		if err != nil || s.now().Sub(created.CreatedAt) < firstLogin {
			return err
		}
	}
	return s.tell(tx, user.ID, Notice{Event: NoticeNewDevice, Address: client.Address, Agent: client.Agent})
}

// EmailChanged notes in tx that the address of a user is another one now, and
// tells the one before. With [Service.HoldEmails] the new one does not count
// until it is confirmed: letters that reset the password and notices go to the
// one before, so that whoever gets hold of a session cannot take the account.
func (s *Service) EmailChanged(tx *gorm.DB, userID int64, before string) error {
	tx = tx.Session(&gorm.Session{NewDB: true})
	var user account
	if err := tx.Where("id = ?", userID).Limit(1).Find(&user).Error; err != nil || user.ID == 0 {
		return err
	}
	reachable, err := s.reachable(tx, user)
	if err != nil {
		return err
	}
	if reachable == user.Email {
		reachable = before
	}
	if s.holds != nil {
		row := formerEmailRow{UserID: userID, Email: reachable, Folded: db.Fold(reachable)}
		err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error // of several changes the first says which counts
		if err == nil && db.Fold(user.Email) == row.Folded {
			err = tx.Where("user_id = ?", userID).Delete(&formerEmailRow{}).Error
		}
		if err == nil {
			err = s.holds(tx, user.Email)
		}
		if err != nil {
			return err
		}
	}
	return s.tell(tx, userID, Notice{Event: NoticeEmailChanged, Email: reachable, About: user.Email})
}

// reachable is the address of a user that counts: the one before the last
// change, until the new one is confirmed.
func (s *Service) reachable(tx *gorm.DB, user account) (string, error) {
	var row formerEmailRow
	if s.holds == nil {
		return user.Email, nil
	}
	err := tx.Where("user_id = ?", user.ID).Limit(1).Find(&row).Error
	if err != nil || row.UserID == 0 {
		return user.Email, err
	}
	return row.Email, nil
}

// takeBack undoes a change of address that was not confirmed, unless another
// account has the address before by now.
func (s *Service) takeBack(tx *gorm.DB, userID int64, before string) error {
	if err := tx.Where("user_id = ? AND purpose = ?", userID, purposeConfirm).Delete(&oneTimeRow{}).Error; err != nil {
		return err
	}
	var taken int64
	if err := db.WhereFold(tx.Model(&account{}), "email", before).Where("id <> ?", userID).Count(&taken).Error; err != nil || taken > 0 {
		return err
	}
	if err := tx.Model(&account{}).Where("id = ?", userID).Update("email", before).Error; err != nil {
		return err
	}
	return tx.Where("user_id = ?", userID).Delete(&formerEmailRow{}).Error
}
