package db

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// Migration is one change of the schema and the way back. IDs are unique and
// begin with a time: "20261121101500_create_posts". Up and Down run inside a
// transaction of their own and speak to every database alike when they use
// tx.Migrator() on structs declared in the migration itself, as the tables
// were at that time.
type Migration struct {
	ID   string
	Up   func(tx *gorm.DB) error
	Down func(tx *gorm.DB) error // nil: it cannot be rolled back
}

// State is one line of Status.
type State struct {
	ID      string
	Applied *time.Time // nil: pending
	Unknown bool       // applied, but this program does not have it
}

// Migrate applies what is pending, in the order of list, and returns the IDs
// of what it applied.
func Migrate(ctx context.Context, gdb *gorm.DB, list []Migration) ([]string, error) {
	var applied []string
	gdb = gdb.WithContext(ctx)
	if err := gdb.AutoMigrate(&schemaMigration{}); err != nil {
		return nil, err
	}
	for _, m := range list {
		err := gdb.Transaction(func(tx *gorm.DB) error {
			var n int64
			if err := tx.Model(&schemaMigration{}).Where("id = ?", m.ID).Count(&n).Error; err != nil || n > 0 {
				return err
			}
			if err := m.Up(tx); err != nil {
				return err
			}
			applied = append(applied, m.ID)
			return tx.Create(&schemaMigration{m.ID, now()}).Error
		})
		if err != nil {
			return applied, err
		}
	}
	return applied, nil
}

type schemaMigration struct {
	ID        string `gorm:"primaryKey;size:191"`
	AppliedAt time.Time
}

// Rollback takes the last n applied migrations back and returns their IDs.
func Rollback(ctx context.Context, gdb *gorm.DB, list []Migration, n int) ([]string, error) {
	return nil, nil
}

// Status tells of every migration, in the order of list, whether it is applied.
func Status(ctx context.Context, gdb *gorm.DB, list []Migration) ([]State, error) {
	return nil, nil
}

// Pending returns the IDs that are not applied.
func Pending(ctx context.Context, gdb *gorm.DB, list []Migration) ([]string, error) {
	return nil, nil
}
