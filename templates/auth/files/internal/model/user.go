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

// User is a row of the table users. The runtime's auth package
// also reads the columns up to EmailConfirmedAt: do not rename them.
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

// Readable narrows tx to the users whose every field the caller may read: themselves.
// Others see a PublicUser.
func (User) Readable(tx *gorm.DB) *gorm.DB {
	caller := auth.Caller(tx)
	if caller.Admin() {
		return tx
	}
	return tx.Where("id", caller.UserID)
}

// PublicUser holds the columns of the table users that everyone may read.
type PublicUser struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// TableName returns the table that users are stored in.
func (PublicUser) TableName() string { return "users" }
