package model

import "time"

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
	Username         string     `json:"username" gorm:"size:50"` // unique whatever the case
	Email            string     `json:"email" gorm:"size:255"`   // unique whatever the case
	PasswordHash     string     `json:"-" gorm:"size:255"`
	Role             string     `json:"role" gorm:"size:10" binding:"oneof=admin user guest"`
	IsActive         bool       `json:"is_active"`
	EmailConfirmedAt *time.Time `json:"email_confirmed_at"`
	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
}
