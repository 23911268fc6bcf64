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

// Migration is one change of the schema and the way back. IDs are unique and
// begin with a time, by which they are ordered: "20261121101500_create_posts".
// Up and Down speak to every database alike when they use tx.Migrator() on
// structs declared in the migration itself, as the tables were at that time.
//
// Each runs in a transaction of its own, together with the note that it was
// applied: both happen or neither. MySQL commits every change of a table at
// once; there a migration that fails half way leaves its first half. SQLite
// checks foreign keys at the end of the migration, as it must for tables to
// be rebuilt; elsewhere they are checked at once. One that does not get a lock of
// PostgreSQL within half a second is undone and tried again, so that programs which
// use the table do not queue up behind it.
//
// An Online one keeps programs running that use the tables which it changes. On
// PostgreSQL and MySQL it runs outside of a transaction, and is noted once it is done:
// where it failed or was killed on the way it runs again from its beginning, so each of
// its steps must find what it has done before, as those of this package do. On
// PostgreSQL they make and drop indexes concurrently, prove constraints after they hold
// for new rows, and fill in values a few rows at a time; MySQL does by itself what it
// can without a lock. On SQLite, where writers wait for their turn, it is one
// transaction like any other.
type Migration struct {
	ID     string
	Up     func(tx *gorm.DB) error
	Down   func(tx *gorm.DB) error // nil: it cannot be rolled back
	Online bool
}

// ErrUnwritten is what the Up of a migration returns until it is written, so that
// nothing takes it for applied: nexios dev applies what is pending as it is saved.
var ErrUnwritten = errors.New("it is not written yet\n  where: its Up, in internal/migrations\n  try:   write what it changes, in place of db.ErrUnwritten")

// Reverse returns a migration that takes back what those of list did, newest
// first, and whose Down does it again, oldest first. So a part of the schema
// goes without its history being rewritten. What its tables held is lost.
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

// State is one line of Status.
type State struct {
	ID      string
	Applied *time.Time // UTC; nil: pending
	Unknown bool       // applied, and not in this program's list: the database is newer
}

// Migrate applies what is pending, oldest first, and returns the IDs of what it
// applied, also when it then failed. Several replicas may call it
// at once: one works, the others wait until ctx ends and then find it done. Rows
// that an older program stored without their folded forms get them; see
// [UniqueNoCase].
func Migrate(ctx context.Context, gdb *gorm.DB, list []Migration) ([]string, error) {
	var done []string
	list = oldestFirst(list)
	err := exclusively(ctx, gdb, list, func(run runner) error {
		for _, m := range list {
			applied, err := run(m.Online, func(tx *gorm.DB, known map[string]time.Time) (bool, error) {
				if _, ok := known[m.ID]; ok {
					return false, nil
				}
				if err := m.Up(tx); err != nil {
					return false, err
				}
				return true, tx.Create(&schemaMigration{ID: m.ID, AppliedAt: after(known)}).Error
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

// Rollback takes back the n migrations that were applied last, last first, and
// returns the IDs of what it took back, also when it then failed. One that came
// from another branch with an earlier ID may have been applied after others.
func Rollback(ctx context.Context, gdb *gorm.DB, list []Migration, n int) ([]string, error) {
	var done []string
	list = oldestFirst(list)
	err := exclusively(ctx, gdb, list, func(run runner) error {
		for len(done) < n {
			last, err := lastOf(run, list)
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

// lastOf is the migration of list that was applied last; nil for none.
func lastOf(run runner, list []Migration) (last *Migration, err error) {
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

// Status tells of every migration whether it is applied: those of list, oldest
// first, then those that only the database knows.
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

// Pending returns the IDs that are not applied, oldest first.
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

// schemaMigration is a row of schema_migrations: one applied migration.
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

// after is now, or later than all that is applied where a clock was put back or
// does not tell two moments apart.
func after(applied map[string]time.Time) time.Time {
	at := now()
	for _, earlier := range applied {
		if next := earlier.Add(time.Millisecond); next.After(at) { // as MySQL keeps times
			at = next
		}
	}
	return at
}

// runner runs f in a transaction, or online, with what is applied as that
// transaction sees it.
type runner func(online bool, f func(tx *gorm.DB, known map[string]time.Time) (bool, error)) (bool, error)

// silence is how long a migration waits for another program before it says so.
const silence = time.Second

// exclusively calls f while no other replica migrates the same database.
func exclusively(ctx context.Context, gdb *gorm.DB, list []Migration, f func(runner) error) error {
	if err := checked(list); err != nil {
		return err
	}
	if err := Ping(ctx, gdb); err != nil {
		return err
	}
	pool, err := gdb.DB()
	if err != nil {
		return err
	}
	// The lock belongs to a connection, and so everything runs on that one.
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	waiting := time.AfterFunc(silence, func() {
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
			err = patiently(ctx, gdb, func() error { return stepwise(ctx, gdb, conn, known) })
		case gdb.Name() == "postgres":
			err = patiently(ctx, gdb, func() error { return transaction(ctx, gdb, conn, known) })
		default: // SQLite has the lock; what MySQL did so far is not undone
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
	waiting.Stop() // SQLite's lock is that of the transaction
	if err != nil {
		return fmt.Errorf("table schema_migrations: %w", err)
	}
	return f(run)
}

// oldestFirst sorts by ID, so that it does not matter where in its list a
// project has the tables of the runtime, which its own may refer to.
func oldestFirst(list []Migration) []Migration {
	return slices.SortedStableFunc(slices.Values(list), func(a, b Migration) int { return strings.Compare(a.ID, b.ID) })
}

// checked refuses lists that no order makes sense of.
func checked(list []Migration) error {
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
	// After a panic too: nothing may stay locked. After Commit it does nothing.
	defer begun.Rollback()
	tx := gdb.Session(&gorm.Session{NewDB: true, Context: ctx})
	tx.Statement.ConnPool = &pinned{begun}
	if gdb.Name() == "postgres" {
		if err := tx.Exec(fmt.Sprintf("SET LOCAL lock_timeout = %d", turn.Milliseconds())).Error; err != nil {
			return err
		}
	}
	if err := f(tx); err != nil {
		return err
	}
	if gdb.Name() == "sqlite" {
		if err := referencesHold(tx); err != nil {
			return err
		}
	}
	return Translate(begun.Commit())
}

// referencesHold says whether every foreign key has its row; nobody checked
// while the migration ran.
func referencesHold(tx *gorm.DB) error {
	var broken []struct{ Table, Parent string }
	if err := tx.Raw("PRAGMA foreign_key_check").Scan(&broken).Error; err != nil {
		return err
	}
	if len(broken) > 0 {
		return fmt.Errorf("%d rows of %s would refer to rows of %s that do not exist", len(broken), broken[0].Table, broken[0].Parent)
	}
	return nil
}
