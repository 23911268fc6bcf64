package migrations

import (
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

func createTourUsers() db.Migration {
	type tourUsers struct {
		ID        int64  `gorm:"primaryKey"`
		Username  string `gorm:"size:50;not null"`
		Email     string `gorm:"size:254;not null"`
		FullName  string `gorm:"size:100;not null"`
		BirthDate *db.Date
		Role      string    `gorm:"size:20;not null"`
		Status    string    `gorm:"size:20;not null"`
		CreatedAt time.Time `gorm:"not null;index:idx_tour_users_created_at"`
	}
	return db.Migration{
		ID: "20260101000300_create_tour_users",
		Up: func(tx *gorm.DB) error {
			if err := tx.Migrator().CreateTable(&tourUsers{}); err != nil {
				return err
			}
			if err := db.UniqueNoCase(tx, "tour_users", "username"); err != nil {
				return err
			}
			return db.UniqueNoCase(tx, "tour_users", "email")
		},
		Down: func(tx *gorm.DB) error {
			return tx.Migrator().DropTable("tour_users")
		},
	}
}
