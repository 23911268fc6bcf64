// Package migrations is a stand-in for the project's list, so that the template
// can be tested in place. It is not generated.
package migrations

import (
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
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

// All returns every migration, oldest first.
func All() []db.Migration {
	return slices.Concat(
		jobs.Migrations(),
		[]db.Migration{{
			ID: "20260101000000_create_users",
			Up: func(tx *gorm.DB) error {
				if err := tx.Migrator().CreateTable(&users{}); err != nil {
					return err
				}
				return db.UniqueNoCase(tx, "users", "email")
			},
			Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&users{}) },
		}},
		auth.Migrations(),
		[]db.Migration{createOrganisations()},
	)
}
