package auth

import (
	"time"

	"gorm.io/gorm"
)

// Events of a Notice.
const (
	NoticeNewDevice       = "new_device"       // a login from a new device
	NoticePasswordChanged = "password_changed" // including by a reset
	NoticeFactorAdded     = "factor_added"
	NoticeFactorRemoved   = "factor_removed"
	NoticeRecoveryCodes   = "recovery_codes" // replaced
	NoticeKeyMade         = "key_made"       // About is the name of the API key
	NoticeEmailChanged    = "email_changed"  // About is the new address
	NoticeLoginAdded      = "login_added"    // About is the login method
	NoticeLoginRemoved    = "login_removed"  // About is the login method
	NoticeOwnerAdded      = "owner_added"    // of an organisation; About names both
)

// Notice tells the owner of an account about a change that affects who can log in:
// someone else may have made it.
type Notice struct {
	Event    string    `json:"event"`
	UserID   int64     `json:"user_id"`
	Username string    `json:"username"`
	Email    string    `json:"email"` // recipient
	Address  string    `json:"address,omitempty"`
	Agent    string    `json:"agent,omitempty"` // with Address, the client of a login
	About    string    `json:"about,omitempty"`
	At       time.Time `json:"at"`
}

// Notify sets the function that is called with every notice, in the transaction of the
// event: what tell enqueues there is sent only if the transaction commits. Call it
// before the service is used.
func (s *Service) Notify(tell func(tx *gorm.DB, n Notice) error) { s.notify = tell }

// Tell notifies the owner of an account, in the transaction tx of the event. n needs an
// Event and, if the event has one, About; it goes to the address in effect (see
// [Service.HoldEmails]). Without [Service.Notify] it does nothing.
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
		if n.Email, err = s.effectiveEmail(tx, user); err != nil {
			return err
		}
	}
	n.UserID, n.Username, n.At = user.ID, user.Username, s.now().UTC()
	return s.notify(tx, n)
}

// notifyNewDevice notifies a user of a login by a client that none of their recent
// sessions has. The first login of an account is not reported; an account older than
// firstLogin has had one.
func (s *Service) notifyNewDevice(tx *gorm.DB, user account, client Client) error {
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
