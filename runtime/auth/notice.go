package auth

import (
	"time"

	"gorm.io/gorm"
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
	NoticeOwnerAdded      = "owner_added"    // of an organisation; About names the owner and it
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

// Tell tells the owner of an account what has happened, in its transaction tx. n needs an
// Event, and what it is About; it goes to the address that counts (see
// [Service.HoldEmails]). Without [Service.Notify] nobody is told.
func (s *Service) Tell(tx *gorm.DB, userID int64, n Notice) error {
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
	return s.Tell(tx, user.ID, Notice{Event: NoticeNewDevice, Address: client.Address, Agent: client.Agent})
}
