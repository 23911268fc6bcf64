package model

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/organisations"
)

// Invitation is a row of the table invitations. A user with the address and the
// token from the mail may join until ExpiresAt. Accepted and revoked invitations
// have expired.
type Invitation struct {
	ID             int64      `json:"id"`
	OrganisationID int64      `json:"organisation_id"`
	Email          string     `json:"email" gorm:"size:255"`
	Role           string     `json:"role" gorm:"size:10" binding:"oneof=admin member"`
	InvitedBy      int64      `json:"invited_by"`
	TokenHash      string     `json:"-" gorm:"size:64"` // empty until the mail is sent
	SentAt         *time.Time `json:"sent_at"`
	ExpiresAt      time.Time  `json:"expires_at"`
	CreatedAt      time.Time  `json:"created_at"`
}

// Readable narrows tx to the invitations that the caller may read: those to organisations they are an admin of.
func (Invitation) Readable(tx *gorm.DB) *gorm.DB {
	return organisations.Within(tx, organisations.RoleAdmin)
}
