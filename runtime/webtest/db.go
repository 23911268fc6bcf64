package webtest

import (
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// DB returns a migrated database that belongs to the test alone.
func DB(t testing.TB, migrations []db.Migration) *gorm.DB {
	t.Helper()
	gdb, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(gdb); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Migrate(t.Context(), gdb, migrations); err != nil {
		t.Fatal(err)
	}
	return gdb
}
