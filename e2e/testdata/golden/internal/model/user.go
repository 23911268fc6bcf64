package model

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
)

// The roles of a user.
const (
	RoleAdmin = "admin"
	RoleUser  = "user"
	RoleGuest = "guest"
)

// User is a row of the table users. Its columns up to EmailConfirmedAt are
// read by the runtime's auth package too: rename none of them.
type User struct {
	ID               int64      `json:"id"`
	Username         string     `json:"username" gorm:"size:50"`              // unique, ignoring case
	Email            string     `json:"email" gorm:"size:255" schema:"email"` // unique, ignoring case
	PasswordHash     string     `json:"-" gorm:"size:255"`
	Role             string     `json:"role" gorm:"size:10" schema:"oneof=admin user guest"`
	IsActive         bool       `json:"is_active"`
	EmailConfirmedAt *time.Time `json:"email_confirmed_at"`
	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
}

// Readable narrows tx to the users that the caller may read whole: themselves.
// What others see of them is a PublicUser.
func (User) Readable(tx *gorm.DB) *gorm.DB {
	caller := auth.Caller(tx)
	if caller.Admin() {
		return tx
	}
	return tx.Where("id", caller.UserID)
}

// PublicUser is what everybody may see of a row of the table users.
type PublicUser struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// TableName is the table that holds users.
func (PublicUser) TableName() string { return "users" }
