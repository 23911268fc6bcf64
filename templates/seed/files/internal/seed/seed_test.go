package seed

import (
	"maps"
	"testing"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/seed/files/internal/migrations"
)

// TestAgain checks that existing rows are left alone.
func TestAgain(t *testing.T) {
	t.Parallel()
	gdb := webtest.DB(t, migrations.All())
	rows := func() map[string]int64 {
		t.Helper()
		err := command.Run(t.Context(), command.IO{Args: []string{"db", "seed"}}, Module(gdb).Commands, "")
		if err != nil {
			t.Fatal(err)
		}
		tables, err := gdb.Migrator().GetTables()
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int64{}
		for _, table := range tables {
			var n int64
			if err := gdb.WithContext(db.System(t.Context())).Table(table).Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			counts[table] = n
		}
		return counts
	}
	if once, twice := rows(), rows(); !maps.Equal(once, twice) {
		t.Errorf("rows after the first run: %v; after the second: %v", once, twice)
	}
}
