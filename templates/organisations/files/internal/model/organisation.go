package model

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/organisations"
)

// Organisation is a row of the table organisations.
type Organisation struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name" gorm:"size:100"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Readable narrows tx to the organisations that the caller may read: those they are a member of.
func (Organisation) Readable(tx *gorm.DB) *gorm.DB {
	return organisations.Joined(tx, organisations.RoleMember)
}

// Writable narrows tx to the organisations that the caller may change: those they are an admin of.
func (Organisation) Writable(tx *gorm.DB) *gorm.DB {
	return organisations.Joined(tx, organisations.RoleAdmin)
}
