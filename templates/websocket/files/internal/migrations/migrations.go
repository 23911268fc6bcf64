// Package migrations is a stand-in for a project's migrations, so that the template
// can be tested in place. It is not part of the template.
package migrations

import (
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
)

type users struct {
	ID               int64  `gorm:"primaryKey"`
	Username         string `gorm:"size:50;not null"`
	Email            string `gorm:"size:255;not null"`
	PasswordHash     string `gorm:"size:255;not null"`
	Role             string `gorm:"size:20;not null"`
	IsActive         bool   `gorm:"not null"`
	EmailConfirmedAt *time.Time
	CreatedAt        time.Time `gorm:"not null"`
	UpdatedAt        time.Time `gorm:"not null"`
}

type organisations struct {
	ID        int64
	Name      string `gorm:"size:100;not null"`
	CreatedAt time.Time
	UpdatedAt time.Time
}

type memberships struct {
	ID             int64
	OrganisationID int64  `gorm:"not null;uniqueIndex:idx_memberships"`
	UserID         int64  `gorm:"not null;uniqueIndex:idx_memberships"`
	Role           string `gorm:"size:10;not null"`
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// All returns every migration.
func All() []db.Migration {
	return slices.Concat(
		[]db.Migration{{
			ID:   "20260101000000_create_users",
			Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&users{}) },
			Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&users{}) },
		}},
		auth.Migrations(),
		[]db.Migration{{
			ID:   "20260101000400_create_organisations",
			Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&organisations{}, &memberships{}) },
			Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&memberships{}, &organisations{}) },
		}},
	)
}
