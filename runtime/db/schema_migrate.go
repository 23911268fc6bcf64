package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Migration is one change of the schema and its reversal. IDs are unique and begin
// with a timestamp, by which they are ordered: "20261121101500_create_posts". To
// work on every database, Up and Down use tx.Migrator() with structs that the
// migration itself declares, as the tables were at that time.
//
// Each migration runs in a transaction of its own, which also records it as
// applied. MySQL commits every change of a table immediately, so there a failed
// migration keeps the steps before the failure. SQLite checks foreign keys at the
// end of the migration, which allows it to rebuild tables; the others check them
// immediately. On PostgreSQL a migration that does not get a lock within half a
// second is rolled back and retried, so that programs which use the table do not
// queue up behind it.
//
// An Online migration does not block programs that use the tables which it changes.
// On PostgreSQL and MySQL it runs outside of a transaction and is recorded when it
// is done: after a failure it runs again from the beginning, so each of its steps
// must skip what it has already done, as those of this package do. On PostgreSQL
// these create and drop indexes concurrently, validate constraints after they apply
// to new rows, and fill in values a few rows at a time; MySQL does itself what it
// can without a lock. On SQLite, where writers wait for their turn, it is a
// transaction like any other.
type Migration struct {
	ID     string
	Up     func(tx *gorm.DB) error
	Down   func(tx *gorm.DB) error // nil: it cannot be rolled back
	Online bool
}

// ErrUnwritten is what the Up of a new migration returns until it is written, so
// that it is not recorded as applied: nexios dev applies pending migrations on
// every save.
var ErrUnwritten = errors.New("it is not written yet\n  where: its Up, in internal/migrations\n  try:   write what it changes, in place of db.ErrUnwritten")

// Reverse returns a migration that rolls back those of list, newest first, and
// whose Down applies them again, oldest first. It removes a part of the schema
// without rewriting its history. The rows of its tables are lost.
func Reverse(id string, list []Migration) Migration {
	list = oldestFirst(list)
	return Migration{
		ID: id,
		Up: func(tx *gorm.DB) error {
			for _, m := range slices.Backward(list) {
				if m.Down == nil {
					return fmt.Errorf("%s cannot be rolled back: it has no Down", m.ID)
				}
				if err := m.Down(tx); err != nil {
					return fmt.Errorf("roll back %s: %w", m.ID, err)
				}
			}
			return nil
		},
		Down: func(tx *gorm.DB) error {
			for _, m := range list {
				if err := m.Up(tx); err != nil {
					return fmt.Errorf("%s again: %w", m.ID, err)
				}
			}
			return nil
		},
	}
}

// State is the state of one migration, as Status returns it.
type State struct {
	ID      string
	Applied *time.Time // UTC; nil: pending
	Unknown bool       // applied, but not in this program's list: the database is newer
}

// Migrate applies the pending migrations, oldest first, and returns the IDs of
// those that it applied, even if a later one failed. Several replicas may call it
// at once: one works, the others wait, at most until ctx ends, and find nothing
// left to do. It also adds the folded forms of rows that an older program has
// stored without them; see [UniqueNoCase].
func Migrate(ctx context.Context, gdb *gorm.DB, list []Migration) ([]string, error) {
	var done []string
	list = oldestFirst(list)
	err := withLock(ctx, gdb, list, func(run runner) error {
		for _, m := range list {
			applied, err := run(m.Online, func(tx *gorm.DB, known map[string]time.Time) (bool, error) {
				if _, ok := known[m.ID]; ok {
					return false, nil
				}
				if err := m.Up(tx); err != nil {
					return false, err
				}
				return true, tx.Create(&schemaMigration{ID: m.ID, AppliedAt: nextAppliedAt(known)}).Error
			})
			if err != nil {
				return fmt.Errorf("migration %s: %w", m.ID, err)
			}
			if applied {
				done = append(done, m.ID)
			}
		}
		_, err := run(false, func(tx *gorm.DB, _ map[string]time.Time) (bool, error) { return false, refill(tx) })
		return err
	})
	return done, err
}

// Rollback rolls back the last n applied migrations, last first, and returns the
// IDs of those that it rolled back, even if a later one failed. The order is that
// of application: a migration merged from another branch may be applied after
// others with a later ID.
func Rollback(ctx context.Context, gdb *gorm.DB, list []Migration, n int) ([]string, error) {
	var done []string
	list = oldestFirst(list)
	err := withLock(ctx, gdb, list, func(run runner) error {
		for len(done) < n {
			last, err := lastApplied(run, list)
			if last == nil || err != nil {
				return err
			}
			undone, err := run(last.Online, func(tx *gorm.DB, known map[string]time.Time) (bool, error) {
				if _, ok := known[last.ID]; !ok { // another replica was faster
					return false, nil
				}
				if last.Down == nil {
					return false, errors.New("it cannot be rolled back: it has no Down")
				}
				if err := last.Down(tx); err != nil {
					return false, err
				}
				return true, tx.Delete(&schemaMigration{ID: last.ID}).Error
			})
			if err != nil {
				return fmt.Errorf("roll back %s: %w", last.ID, err)
			}
			if undone {
				done = append(done, last.ID)
			}
		}
		return nil
	})
	return done, err
}

// lastApplied returns the migration of list that was applied last; nil for none.
func lastApplied(run runner, list []Migration) (last *Migration, err error) {
	_, err = run(false, func(_ *gorm.DB, known map[string]time.Time) (bool, error) {
		last = nil
		lastAt := time.Time{}
		for _, m := range slices.Backward(list) {
			if at, ok := known[m.ID]; ok && (last == nil || at.After(lastAt)) {
				last, lastAt = &m, at
			}
			delete(known, m.ID)
		}
		for id := range known {
			return false, fmt.Errorf("the database has %s, which this program does not know\n  where: table schema_migrations\n  try:   roll back with the program that applied it", id)
		}
		return false, nil
	})
	return last, err
}

// Status returns the state of every migration: those of list, oldest first, then
// those that only the database has.
func Status(ctx context.Context, gdb *gorm.DB, list []Migration) ([]State, error) {
	if err := Ping(ctx, gdb); err != nil {
		return nil, err
	}
	known, err := appliedMigrations(gdb.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	var states []State
	for _, m := range oldestFirst(list) {
		s := State{ID: m.ID}
		if at, ok := known[m.ID]; ok {
			s.Applied = &at
			delete(known, m.ID)
		}
		states = append(states, s)
	}
	var unknown []State
	for id, at := range known {
		unknown = append(unknown, State{ID: id, Applied: &at, Unknown: true})
	}
	slices.SortFunc(unknown, func(a, b State) int { return a.Applied.Compare(*b.Applied) })
	return append(states, unknown...), nil
}

// Pending returns the IDs of the migrations that are not applied, oldest first.
func Pending(ctx context.Context, gdb *gorm.DB, list []Migration) ([]string, error) {
	states, err := Status(ctx, gdb, list)
	var pending []string
	for _, s := range states {
		if s.Applied == nil {
			pending = append(pending, s.ID)
		}
	}
	return pending, err
}

// schemaMigration is a row of schema_migrations: an applied migration.
type schemaMigration struct {
	ID        string    `gorm:"primaryKey;size:191"`
	AppliedAt time.Time `gorm:"not null"`
}

func appliedMigrations(tx *gorm.DB) (map[string]time.Time, error) {
	known := map[string]time.Time{}
	if !tx.Migrator().HasTable(&schemaMigration{}) {
		return known, nil
	}
	var all []schemaMigration
	err := tx.Find(&all).Error
	for _, m := range all {
		known[m.ID] = m.AppliedAt.UTC()
	}
	return known, err
}

// nextAppliedAt returns the current time, or a later one than those of all applied
// migrations if the clock was set back or is too coarse.
func nextAppliedAt(applied map[string]time.Time) time.Time {
	at := now()
	for _, earlier := range applied {
		if next := earlier.Add(time.Millisecond); next.After(at) { // the precision of MySQL
			at = next
		}
	}
	return at
}

// runner runs f in a transaction, or online, with the applied migrations as that
// transaction sees them.
type runner func(online bool, f func(tx *gorm.DB, known map[string]time.Time) (bool, error)) (bool, error)

// warnAfter is how long a migration waits for another program before it logs that.
const warnAfter = time.Second

// withLock calls f while no other replica migrates the same database.
func withLock(ctx context.Context, gdb *gorm.DB, list []Migration, f func(runner) error) error {
	if err := validateList(list); err != nil {
		return err
	}
	if err := Ping(ctx, gdb); err != nil {
		return err
	}
	pool, err := gdb.DB()
	if err != nil {
		return err
	}
	// The lock belongs to a connection, so everything runs on this one.
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	waiting := time.AfterFunc(warnAfter, func() {
		gdb.Logger.Warn(ctx, "waiting for another program to finish migrating, or to let go of a table")
	})
	defer waiting.Stop()
	unlock, err := lock(ctx, conn, gdb)
	if err != nil {
		return fmt.Errorf("waiting for another program to finish migrating: %w", err)
	}
	defer unlock()

	run := func(online bool, step func(*gorm.DB, map[string]time.Time) (bool, error)) (bool, error) {
		var done bool
		known := func(tx *gorm.DB) error {
			known, err := appliedMigrations(tx)
			if err == nil {
				done, err = step(tx, known)
			}
			return err
		}
		var err error
		switch online = online && gdb.Name() != "sqlite"; {
		case online:
			err = retryBusy(ctx, gdb, func() error { return runOnline(ctx, gdb, conn, known) })
		case gdb.Name() == "postgres":
			err = retryBusy(ctx, gdb, func() error { return transaction(ctx, gdb, conn, known) })
		default: // SQLite holds the lock; MySQL cannot undo what it has done
			err = transaction(ctx, gdb, conn, known)
		}
		return done && err == nil, err
	}
	err = transaction(ctx, gdb, conn, func(tx *gorm.DB) error {
		if tx.Migrator().HasTable(&schemaMigration{}) {
			return nil
		}
		return tx.Migrator().CreateTable(&schemaMigration{})
	})
	waiting.Stop() // SQLite's lock is the transaction, which has begun
	if err != nil {
		return fmt.Errorf("table schema_migrations: %w", err)
	}
	return f(run)
}

// oldestFirst sorts by ID, so that the position of the runtime's tables, which
// those of the project may reference, does not matter.
func oldestFirst(list []Migration) []Migration {
	return slices.SortedStableFunc(slices.Values(list), func(a, b Migration) int { return strings.Compare(a.ID, b.ID) })
}

// validateList returns an error for a list that cannot be ordered or run.
func validateList(list []Migration) error {
	seen := map[string]bool{}
	for _, m := range list {
		if m.ID == "" || m.Up == nil || seen[m.ID] {
			return fmt.Errorf("migration %q has no Up, no ID or a duplicate ID\n  where: the list of migrations\n  try:   give every migration an Up and a unique ID", m.ID)
		}
		seen[m.ID] = true
	}
	return nil
}

func transaction(ctx context.Context, gdb *gorm.DB, conn *sql.Conn, f func(*gorm.DB) error) (err error) {
	begun, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return Translate(err)
	}
	// Even after a panic nothing may stay locked. After Commit this does nothing.
	defer begun.Rollback()
	tx := gdb.Session(&gorm.Session{NewDB: true, Context: ctx})
	tx.Statement.ConnPool = &pinned{begun}
	if gdb.Name() == "postgres" {
		if err := tx.Exec(fmt.Sprintf("SET LOCAL lock_timeout = %d", lockWait.Milliseconds())).Error; err != nil {
			return err
		}
	}
	if err := f(tx); err != nil {
		return err
	}
	if gdb.Name() == "sqlite" {
		if err := checkReferences(tx); err != nil {
			return err
		}
	}
	return Translate(begun.Commit())
}

// checkReferences returns an error if a foreign key has no row; foreign keys are not
// checked while a migration runs.
func checkReferences(tx *gorm.DB) error {
	var broken []struct{ Table, Parent string }
	if err := tx.Raw("PRAGMA foreign_key_check").Scan(&broken).Error; err != nil {
		return err
	}
	if len(broken) > 0 {
		return fmt.Errorf("%d rows of %s would refer to rows of %s that do not exist", len(broken), broken[0].Table, broken[0].Parent)
	}
	return nil
}
