package model

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
)

// Post is a row of the table posts.
type Post struct {
	ID        int64     `json:"id"`
	UserID    int64     `json:"user_id"`
	Title     string    `json:"title"`
	Content   string    `json:"content"`
	Published bool      `json:"published"`
	Category  *string   `json:"category"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	User *PublicUser `json:"user,omitzero"`
}

// Readable narrows tx to the posts that the caller may read: their own and those that are published.
func (Post) Readable(tx *gorm.DB) *gorm.DB {
	caller := auth.Caller(tx)
	if caller.Admin() {
		return tx
	}
	if caller.UserID == 0 {
		return auth.SignedIn(tx) // nothing without a login
	}
	return tx.Where("user_id", caller.UserID).Or("published", true)
}

// Writable narrows tx to the posts that the caller may change: their own.
func (Post) Writable(tx *gorm.DB) *gorm.DB {
	caller := auth.Caller(tx)
	if caller.Admin() {
		return tx
	}
	return tx.Where("user_id", caller.UserID)
}
