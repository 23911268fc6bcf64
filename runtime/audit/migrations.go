package audit

import (
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// Migrations returns the migrations that create the tables of this package, with
// triggers that prevent entries from being changed or deleted. On MySQL and MariaDB
// with a binary log, creating triggers may require a privilege that the application's
// user lacks; there are none in that case.
func Migrations() []db.Migration {
	return []db.Migration{{
		ID: "20260101000500_create_audit",
		Up: func(tx *gorm.DB) error {
			if err := errors.Join(tx.Migrator().CreateTable(&entry1{}), tx.Migrator().CreateTable(&head1{})); err != nil {
				return err
			}
			return appendOnly(tx)
		},
		Down: func(tx *gorm.DB) error {
			if err := errors.Join(tx.Migrator().DropTable(&entry1{}), tx.Migrator().DropTable(&head1{})); err != nil || tx.Name() != "postgres" {
				return err
			}
			return tx.Exec("DROP FUNCTION IF EXISTS audit_append_only()").Error
		},
	}}
}

// appendOnly creates the triggers.
func appendOnly(tx *gorm.DB) error {
	switch tx.Name() {
	case "sqlite":
		return errors.Join(
			tx.Exec("CREATE TRIGGER audit_entries_update BEFORE UPDATE ON audit_entries BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END").Error,
			tx.Exec("CREATE TRIGGER audit_entries_delete BEFORE DELETE ON audit_entries BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END").Error,
		)
	case "postgres":
		return errors.Join(
			tx.Exec("CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$").Error,
			tx.Exec("CREATE TRIGGER audit_entries_keep BEFORE UPDATE OR DELETE ON audit_entries FOR EACH ROW EXECUTE FUNCTION audit_append_only()").Error,
			tx.Exec("CREATE TRIGGER audit_entries_whole BEFORE TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()").Error,
		)
	}
	// Without the privilege, only the chain reveals tampering.
	_ = tx.Exec("CREATE TRIGGER audit_entries_update BEFORE UPDATE ON audit_entries FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only'").Error
	_ = tx.Exec("CREATE TRIGGER audit_entries_delete BEFORE DELETE ON audit_entries FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only'").Error
	return nil
}

// entry1 and head1 are the tables as created by the first migration.
type entry1 struct {
	ID           int64     `gorm:"primaryKey;autoIncrement:false;index:idx_audit_entries_user_id,priority:2;index:idx_audit_entries_actor_id,priority:2;index:idx_audit_entries_row,priority:3"`
	CreatedAt    time.Time `gorm:"not null;autoCreateTime:false;index:idx_audit_entries_created_at"`
	UserID       int64     `gorm:"not null;index:idx_audit_entries_user_id,priority:1"`
	Username     string    `gorm:"size:255;not null"`
	ActorID      int64     `gorm:"not null;index:idx_audit_entries_actor_id,priority:1"`
	Actor        string    `gorm:"size:255;not null"`
	KeyID        int64     `gorm:"not null"`
	Resource     string    `gorm:"size:64;not null;index:idx_audit_entries_row,priority:1"`
	RowKey       string    `gorm:"size:255;not null;index:idx_audit_entries_row,priority:2"`
	Action       string    `gorm:"size:10;not null"`
	ValuesBefore string    `gorm:"size:16777216;not null"`
	ValuesAfter  string    `gorm:"size:16777216;not null"`
	RequestID    string    `gorm:"size:128;not null;index:idx_audit_entries_request_id"`
	Previous     string    `gorm:"size:64;not null"`
	Hash         string    `gorm:"size:64;not null"`
}

func (entry1) TableName() string { return "audit_entries" }

type head1 struct {
	ID    int64  `gorm:"primaryKey;autoIncrement:false"`
	Entry int64  `gorm:"not null"`
	Hash  string `gorm:"size:64;not null"`
}

func (head1) TableName() string { return "audit_heads" }
