package migrations

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

func createUsers() db.Migration {
	type user struct {
		ID               int64
		Username         string `gorm:"size:50;not null"`
		Email            string `gorm:"size:255;not null"`
		PasswordHash     string `gorm:"size:255;not null"`
		Role             string `gorm:"size:10;not null"`
		IsActive         bool   `gorm:"not null"`
		EmailConfirmedAt *time.Time
		CreatedAt        time.Time `gorm:"not null;index:idx_users_created_at"`
		UpdatedAt        time.Time `gorm:"not null"`
	}
	return db.Migration{
		ID: "20260101000000_create_users",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&user{}); err != nil {
				return err
			}
			if err := db.UniqueNoCase(tx, "users", "username"); err != nil {
				return err
			}
			return db.UniqueNoCase(tx, "users", "email")
		},
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable("users") },
	}
}
