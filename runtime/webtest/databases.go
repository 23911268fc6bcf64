package webtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
)

// databases is a pool of databases for tests. Creating the tables of a project costs
// more than most of the tests, so they are created once for each test that runs
// concurrently: on a server the next test gets the database of a previous one,
// emptied and with its sequences reset; with SQLite it gets a copy of the first.
type databases struct {
	owner      testing.TB // the databases are dropped when it ends
	migrations []db.Migration

	mu    sync.Mutex
	idle  []database
	first string // SQLite file to copy
}

// database is a database on a server.
type database struct {
	address string
	gdb     *gorm.DB // separate from the tests' connection, on which modules may have registered callbacks
	tables  []string // tables to empty
}

// take returns a migrated database for the exclusive use of t. As with DB, all rows
// are visible.
func (d *databases) take(t testing.TB) *gorm.DB {
	t.Helper()
	switch server := os.Getenv("TEST_DATABASE_URL"); {
	case server == "":
		return unrestricted(open(t, t, "sqlite:"+d.copied(t)))
	case strings.HasPrefix(server, "sqlite:"):
		return DB(t, d.migrations) // in the file chosen by the caller
	}
	one := d.next(t)
	t.Cleanup(func() {
		if one.tables == nil {
			return // cannot be reset to its initial state
		}
		if err := one.empty(); err != nil {
			t.Errorf("the tables cannot be emptied for the next test: %v", err)
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.idle = append(d.idle, one)
	})
	return unrestricted(open(t, t, one.address))
}

// unrestricted returns gdb for statements without a user, which see all rows.
func unrestricted(gdb *gorm.DB) *gorm.DB { return gdb.WithContext(db.System(context.Background())) }

// next returns an idle database, or a new one.
func (d *databases) next(t testing.TB) database {
	t.Helper()
	d.mu.Lock()
	n := len(d.idle)
	if n > 0 {
		one := d.idle[n-1]
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		return one
	}
	d.mu.Unlock()
	address, gdb := migrated(t, d.owner, d.migrations)
	one := database{address: address, gdb: unrestricted(gdb)}
	query := "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_name <> 'schema_migrations' AND table_schema = "
	query += map[bool]string{true: "current_schema()", false: "database()"}[gdb.Name() == "postgres"]
	if err := one.gdb.Raw(query).Scan(&one.tables).Error; err != nil {
		t.Fatal(err)
	}
	switch filled, err := one.filled(); {
	case err != nil:
		t.Fatal(err)
	case len(filled) > 0: // by a migration
		one.tables = nil
	}
	return one
}

// filled returns the names of the tables that have rows.
func (d database) filled() (names []string, err error) {
	if len(d.tables) == 0 {
		return nil, nil
	}
	var parts []string
	var vars []any
	for _, name := range d.tables {
		parts = append(parts, "SELECT ? AS name WHERE EXISTS (SELECT 1 FROM ?)")
		vars = append(vars, name, clause.Table{Name: name})
	}
	return names, d.gdb.Raw(strings.Join(parts, " UNION ALL "), vars...).Scan(&names).Error
}

// empty removes all rows and resets the sequences.
func (d database) empty() error {
	filled, err := d.filled()
	if err != nil {
		return err
	}
	if d.gdb.Name() == "mysql" {
		return d.truncate(filled)
	}
	// Truncating a table would recreate those that refer to it, too.
	for len(filled) > 0 {
		left := slices.DeleteFunc(slices.Clone(filled), func(name string) bool {
			err = d.gdb.Exec("DELETE FROM ?", clause.Table{Name: name}).Error
			return err == nil
		})
		if len(left) == len(filled) { // circular references
			if err := d.gdb.Exec("TRUNCATE ? CASCADE", clause.Table{Name: left[0]}).Error; err != nil {
				return err
			}
			left = left[1:]
		}
		filled = left
	}
	return d.gdb.Exec("SELECT setval(quote_ident(schemaname) || '.' || quote_ident(sequencename), start_value, false) FROM pg_sequences " +
		"WHERE schemaname = current_schema() AND last_value IS NOT NULL").Error
}

// truncate implements empty for MySQL, which truncates referenced tables if checks
// are off.
func (d database) truncate(filled []string) error {
	var counted []string // includes tables whose inserts were rolled back
	err := d.gdb.Raw("SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND auto_increment > 1").Scan(&counted).Error
	if err != nil {
		return err
	}
	names := slices.Concat(filled, counted)
	slices.Sort(names)
	return d.gdb.Connection(func(tx *gorm.DB) error {
		if err := tx.Exec("SET foreign_key_checks = 0").Error; err != nil {
			return err
		}
		for _, name := range slices.Compact(names) {
			if err := tx.Exec("TRUNCATE TABLE ?", clause.Table{Name: name}).Error; err != nil {
				return err
			}
		}
		return tx.Exec("SET foreign_key_checks = 1").Error
	})
}

// copied returns a copy of the first SQLite database.
func (d *databases) copied(t testing.TB) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first == "" {
		_, gdb := migrated(t, d.owner, d.migrations)
		file := filepath.Join(d.owner.TempDir(), "first.db")
		if err := gdb.Exec("VACUUM INTO ?", file).Error; err != nil {
			t.Fatal(fmt.Errorf("copy the database: %w", err))
		}
		d.first = file
	}
	text, err := os.ReadFile(d.first)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
