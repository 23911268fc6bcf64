package webtest

import (
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// DB returns a migrated database for this test only: SQLite in memory or, if
// TEST_DATABASE_URL is set, a new schema of that PostgreSQL server or a new database
// of that MySQL server. It is dropped when the test ends. The test sees all rows: its
// statements run without a user (see [db.System]) unless a handler sets one.
func DB(t testing.TB, migrations []db.Migration) *gorm.DB {
	t.Helper()
	_, gdb := migrated(t, t, migrations)
	return unrestricted(gdb)
}

// migrated creates a database that is dropped when owner ends, and returns its URL
// too.
func migrated(t, owner testing.TB, migrations []db.Migration) (address string, gdb *gorm.DB) {
	t.Helper()
	address = private(t, owner, os.Getenv("TEST_DATABASE_URL"))
	gdb = open(t, owner, address)
	if _, err := db.Migrate(t.Context(), gdb, migrations); err != nil {
		t.Fatal(err)
	}
	return address, gdb
}

// private creates a schema or database on a server, and returns its URL.
func private(t, owner testing.TB, server string) string {
	t.Helper()
	if server == "" {
		return "sqlite::memory:"
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("TEST_DATABASE_URL is not a URL: %v", err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	kind, drop := "DATABASE", "DROP DATABASE "+name
	switch u.Scheme {
	case "postgres", "postgresql":
		kind, drop = "SCHEMA", "DROP SCHEMA "+name+" CASCADE"
		query := u.Query()
		query.Set("search_path", name)
		u.RawQuery = query.Encode()
	case "mysql":
		u.Path = "/" + name
	default:
		return server // SQLite, in a file chosen by the caller
	}
	admin := open(t, owner, server)
	if err := admin.Exec("CREATE " + kind + " " + name).Error; err != nil {
		t.Fatalf("cannot create a %s for the test on the server of TEST_DATABASE_URL: %v", strings.ToLower(kind), err)
	}
	owner.Cleanup(func() {
		if err := admin.Exec(drop).Error; err != nil {
			owner.Error(err)
		}
	})
	return u.String()
}

// open opens a database and closes it when owner ends.
func open(t, owner testing.TB, address string) *gorm.DB {
	t.Helper()
	gdb, err := db.Open(address, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	owner.Cleanup(func() {
		if err := db.Close(gdb); err != nil {
			owner.Error(err)
		}
	})
	return gdb
}
