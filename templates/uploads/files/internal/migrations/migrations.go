// Package migrations is a stand-in for a project's migrations, so that the template
// can be tested in place. It is not part of the template.
package migrations

import (
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/files"
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

// All returns every migration.
func All() []db.Migration {
	return slices.Concat(
		[]db.Migration{{
			ID:   "20260101000000_create_users",
			Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&users{}) },
			Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&users{}) },
		}},
		auth.Migrations(),
		jobs.Migrations(),
		files.Migrations(),
	)
}
