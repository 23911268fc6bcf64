package db_test

import (
	"crypto/rand"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
)

// each runs test on a private, empty database of every kind.
func each(t *testing.T, test func(t *testing.T, gdb *gorm.DB)) {
	t.Helper()
	for _, name := range []string{"sqlite", "memory", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) { test(t, open(t, address(t, name))) })
	}
}

func open(t testing.TB, address string) *gorm.DB {
	t.Helper()
	gdb, err := db.Open(address, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(gdb); err != nil {
			t.Error(err)
		}
	})
	return gdb
}

// address returns the URL of a private, empty database.
func address(t testing.TB, name string) string {
	t.Helper()
	var server string
	switch name {
	case "sqlite":
		return "sqlite:" + filepath.Join(t.TempDir(), "dir", "test.db")
	case "memory":
		return "sqlite::memory:"
	case "postgres":
		server = services.Postgres(t)
	case "mysql":
		server = services.MySQL(t)
	}
	database := "test_" + strings.ToLower(rand.Text())
	admin, err := db.Open(server, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Exec("CREATE DATABASE " + database).Error; err != nil {
		t.Fatal(err)
	}
	drop := "DROP DATABASE " + database
	if name == "postgres" {
		drop += " WITH (FORCE)" // PostgreSQL takes seconds to end a connection whose client has hung up
	}
	t.Cleanup(func() {
		if err := admin.Exec(drop).Error; err != nil {
			t.Error(err)
		}
		db.Close(admin)
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	return u.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
