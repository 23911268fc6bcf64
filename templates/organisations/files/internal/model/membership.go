package model

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/organisations"
)

// Membership is a row of the table memberships: the role of a user in an
// organisation. The runtime's organisations package also reads OrganisationID,
// UserID and Role: do not rename them.
type Membership struct {
	ID             int64     `json:"id"`
	OrganisationID int64     `json:"organisation_id"`
	UserID         int64     `json:"user_id"`
	Role           string    `json:"role" gorm:"size:10" binding:"oneof=owner admin member"`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedAt      time.Time `json:"updated_at"`
}

// Readable narrows tx to the memberships that the caller may read: those of their organisations.
func (Membership) Readable(tx *gorm.DB) *gorm.DB {
	return organisations.Within(tx, organisations.RoleMember)
}

// Writable narrows tx to the memberships that the caller may change: those of organisations they are an admin of.
func (Membership) Writable(tx *gorm.DB) *gorm.DB {
	return organisations.Within(tx, organisations.RoleAdmin)
}

// BeforeDelete refuses to delete the last owner of an organisation.
func (u *User) BeforeDelete(tx *gorm.DB) error {
	return organisations.KeepOwners(tx, u.ID)
}
