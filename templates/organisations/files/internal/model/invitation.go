package model

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/organisations"
)

// Invitation is a row of the table invitations. A user who has the address and the
// token of the mail may join until ExpiresAt; one that was accepted or revoked
// has expired.
type Invitation struct {
	ID             int64      `json:"id"`
	OrganisationID int64      `json:"organisation_id"`
	Email          string     `json:"email" gorm:"size:255"`
	Role           string     `json:"role" gorm:"size:10" binding:"oneof=admin member"`
	InvitedBy      int64      `json:"invited_by"`
	TokenHash      string     `json:"-" gorm:"size:64"` // empty until the mail is written
	SentAt         *time.Time `json:"sent_at"`
	ExpiresAt      time.Time  `json:"expires_at"`
	CreatedAt      time.Time  `json:"created_at"`
}

// Readable narrows tx to the invitations that the caller may read: those to organisations they are an admin of.
func (Invitation) Readable(tx *gorm.DB) *gorm.DB {
	return organisations.Within(tx, organisations.RoleAdmin)
}
