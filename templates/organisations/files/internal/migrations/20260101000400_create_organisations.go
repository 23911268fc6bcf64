package migrations

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

func createOrganisations() db.Migration {
	type users struct {
		ID int64
	}
	type organisations struct {
		ID        int64
		Name      string    `gorm:"size:100;not null"`
		CreatedAt time.Time `gorm:"not null;index:idx_organisations_created_at"`
		UpdatedAt time.Time `gorm:"not null"`
	}
	type memberships struct {
		ID             int64
		OrganisationID int64         `gorm:"not null;uniqueIndex:idx_memberships_organisation_id_user_id"`
		Organisation   organisations `gorm:"constraint:OnDelete:CASCADE"`
		UserID         int64         `gorm:"not null;uniqueIndex:idx_memberships_organisation_id_user_id;index:idx_memberships_user_id"`
		User           users         `gorm:"constraint:OnDelete:CASCADE"`
		Role           string        `gorm:"size:10;not null"`
		CreatedAt      time.Time     `gorm:"not null"`
		UpdatedAt      time.Time     `gorm:"not null"`
	}
	type invitations struct {
		ID             int64
		OrganisationID int64         `gorm:"not null;index:idx_invitations_organisation_id"`
		Organisation   organisations `gorm:"constraint:OnDelete:CASCADE"`
		Email          string        `gorm:"size:255;not null"`
		Role           string        `gorm:"size:10;not null"`
		InvitedBy      int64         `gorm:"not null;index:idx_invitations_invited_by"`
		Inviter        users         `gorm:"foreignKey:InvitedBy;constraint:OnDelete:CASCADE"`
		TokenHash      string        `gorm:"size:64;not null;index:idx_invitations_token_hash"`
		SentAt         *time.Time
		ExpiresAt      time.Time `gorm:"not null;index:idx_invitations_expires_at"`
		CreatedAt      time.Time `gorm:"not null"`
	}
	return db.Migration{
		ID: "20260101000400_create_organisations",
		Up: func(tx *gorm.DB) error {
			for _, table := range []any{&organisations{}, &memberships{}, &invitations{}} {
				if err := tx.Migrator().CreateTable(table); err != nil {
					return err
				}
			}
			return nil
		},
		Down: func(tx *gorm.DB) error {
			for _, table := range []string{"invitations", "memberships", "organisations"} {
				if err := tx.Migrator().DropTable(table); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
