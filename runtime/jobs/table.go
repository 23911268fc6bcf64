package jobs

import (
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

const table = "jobs"

// The states of a job.
const (
	ready     = "ready"     // waiting for its due time
	running   = "running"   // leased by a worker until its due time
	done      = "done"      // finished
	dead      = "dead"      // failed for good; see the command "jobs retry"
	cancelled = "cancelled" // taken back by "jobs cancel"
)

// job is a row of the table. Times are Unix milliseconds, which are stored and compared
// the same on every database.
type job struct {
	ID      int64
	Kind    string
	Payload string // JSON
	// UniqueKey is a digest of kind and key: databases compare text differently, but
	// must agree on which jobs are the same.
	UniqueKey   *string
	State       string
	Attempts    int // number of claims; it only increases, so it also distinguishes claims
	MaxAttempts int
	// DueAt is when the job may be claimed: its scheduled time while it is ready, the
	// end of the lease while it runs, null when it has finished.
	DueAt      *int64
	LastError  string
	CreatedAt  int64 `gorm:"autoCreateTime:milli"`
	FinishedAt *int64
}

// TableName implements gorm's Tabler.
func (job) TableName() string { return table }

// Migrations returns the migrations that create the table, for the project's list.
func Migrations() []db.Migration {
	return []db.Migration{{
		ID:   "20260101000100_create_jobs",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&jobs1{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&jobs1{}) },
	}, {
		ID: "20260101000101_notify_of_jobs",
		Up: func(tx *gorm.DB) error {
			if tx.Name() != "postgres" || !tx.Migrator().HasTable(table) {
				return nil
			}
			err := tx.Exec("CREATE OR REPLACE FUNCTION jobs_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('jobs', ''); RETURN NULL; END $$").Error
			if err != nil {
				return err
			}
			return tx.Exec("CREATE TRIGGER jobs_notify AFTER INSERT ON jobs FOR EACH STATEMENT EXECUTE FUNCTION jobs_notify()").Error
		},
		Down: func(tx *gorm.DB) error {
			if tx.Name() != "postgres" {
				return nil
			}
			return tx.Exec("DROP FUNCTION IF EXISTS jobs_notify CASCADE").Error // including the trigger
		},
	}}
}

// jobs1 is the table as created by the first migration.
type jobs1 struct {
	ID          int64   `gorm:"primaryKey;index:idx_jobs_due,priority:2"`
	Kind        string  `gorm:"size:100;not null"`
	Payload     string  `gorm:"size:1048576;not null"`
	UniqueKey   *string `gorm:"size:64;uniqueIndex:idx_jobs_unique_key"`
	State       string  `gorm:"size:10;not null"`
	Attempts    int     `gorm:"not null"`
	MaxAttempts int     `gorm:"not null"`
	DueAt       *int64  `gorm:"index:idx_jobs_due,priority:1"`
	LastError   string  `gorm:"size:2000;not null"`
	CreatedAt   int64   `gorm:"not null;autoCreateTime:milli"`
	FinishedAt  *int64  `gorm:"index:idx_jobs_finished_at"`
}

func (jobs1) TableName() string { return table }
