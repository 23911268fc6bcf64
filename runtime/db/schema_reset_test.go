package db_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
)

// After a reset the database is what the migrations create, however far they had
// come and whatever else had been created.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		fails := true
		list := slices.Concat(blog(), auth.Migrations(), jobs.Migrations(), []db.Migration{{
			ID: "20990101000000_half",
			Up: func(tx *gorm.DB) error {
				if err := tx.Exec("CREATE TABLE halves (id integer PRIMARY KEY)").Error; err != nil {
					return err
				}
				if fails {
					return errors.New("stopped half way")
				}
				return db.SearchIndex(tx, "posts", "title")
			},
			Down: func(*gorm.DB) error { return errors.New("cannot be undone") },
		}})
		list[0].ID = "20200101000000_create_users" // before the tables that reference it
		if _, err := db.Migrate(t.Context(), gdb, list); err == nil {
			t.Fatal("the migration did not stop half way")
		}
		made := []string{"CREATE VIEW titles AS SELECT title FROM posts", `CREATE TABLE odd (id integer PRIMARY KEY, parent integer REFERENCES odd (id))`}
		switch gdb.Name() {
		case "postgres":
			made = append(made, "CREATE TYPE mood AS ENUM ('well')", "CREATE DOMAIN small AS integer CHECK (value < 9)", "CREATE TYPE pair AS (a mood, b small)",
				"CREATE SEQUENCE numbers", `CREATE TABLE "Odd ""name" (id pair)`, "CREATE FUNCTION twice(n small) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n'",
				"CREATE MATERIALIZED VIEW known AS SELECT title FROM titles", "CREATE TABLE parts (id integer) PARTITION BY RANGE (id)", "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (9)")
		case "mysql":
			made = append(made, "CREATE TABLE `odd ``name` (id integer)", "CREATE FUNCTION twice(n integer) RETURNS integer DETERMINISTIC RETURN 2 * n")
		case "sqlite":
			made = append(made, `CREATE TABLE "odd ""name" (id integer)`, "CREATE VIRTUAL TABLE found USING fts5(title)", "CREATE TABLE counted (id integer PRIMARY KEY AUTOINCREMENT)", "INSERT INTO counted DEFAULT VALUES")
		}
		for _, statement := range made {
			must(t, gdb.Exec(statement).Error)
		}
		fails = false
		for range 2 { // the second time on a complete database
			done, err := db.Reset(t.Context(), gdb, list)
			must(t, err)
			if len(done) != len(list) {
				t.Errorf("applied %v", done)
			}
			left, err := gdb.Migrator().GetTables()
			must(t, err)
			for _, name := range left {
				if strings.Contains(strings.ToLower(name), "odd") || name == "titles" || name == "counted" || name == "parts_1" {
					t.Errorf("%s is still there", name)
				}
			}
			all, err := db.Differences(t.Context(), gdb, list)
			must(t, err)
			for _, d := range all {
				t.Errorf("after the reset: %+v", d)
			}
		}
	})
}

// Without a terminal nothing is dropped unless --yes is given.
func TestResetNeedsConfirmation(t *testing.T) {
	gdb := open(t, address(t, "memory"))
	var out strings.Builder
	commands := db.Commands(gdb, blog())
	run := func(args ...string) error {
		return command.Run(t.Context(), command.IO{Args: args, Stdin: strings.NewReader("yes\n"), Stdout: &out, Stderr: &out}, commands, "")
	}
	must(t, run("migrate", "up"))
	must(t, gdb.Exec("CREATE TABLE kept (id integer)").Error)
	for _, args := range [][]string{{"db", "reset"}, {"db", "reset", "now"}} {
		if err := run(args...); command.ExitCode(err) != command.Misused || !gdb.Migrator().HasTable("kept") {
			t.Errorf("%q: %v", args, err)
		}
	}
	must(t, run("db", "reset", "--yes"))
	if gdb.Migrator().HasTable("kept") || !gdb.Migrator().HasTable("posts") {
		t.Errorf("after the reset:\n%s", &out)
	}
}
