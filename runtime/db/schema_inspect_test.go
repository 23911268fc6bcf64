package db_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/files"
	"github.com/nexios-go/nexios/runtime/jobs"
)

// A migrated database has no differences; each manual change is one.
func TestDifferences(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := slices.Concat(blog(), auth.Migrations(), jobs.Migrations(), files.Migrations(), []db.Migration{{
			ID: "20990101000000_search",
			Up: func(tx *gorm.DB) error {
				return db.SearchIndex(tx, "posts", "title")
			},
		}})
		list[0].ID = "20200101000000_create_users" // before the tables that reference it
		all, err := db.Differences(t.Context(), gdb, list)
		must(t, err)
		if len(all) != len(list) || all[0].What != "pending" {
			t.Errorf("empty database: %v", all)
		}
		if gdb.Migrator().HasTable("schema_migrations") {
			t.Error("the check wrote to the database")
		}
		_, err = db.Migrate(t.Context(), gdb, list)
		must(t, err)
		all, err = db.Differences(t.Context(), gdb, list)
		must(t, err)
		for _, d := range all {
			t.Errorf("migrated database: %+v", d)
		}

		indexes := "ON posts"
		if gdb.Name() != "mysql" {
			indexes = ""
		}
		for _, statement := range []string{
			"CREATE TABLE notes (id integer PRIMARY KEY)", // of another program
			"DROP TABLE post_tags",
			"ALTER TABLE posts ADD note varchar(10)",
			"DROP INDEX idx_posts_created_at " + indexes,
			"ALTER TABLE posts DROP COLUMN views",
		} {
			must(t, gdb.Exec(statement).Error)
		}
		if gdb.Name() != "mysql" { // MySQL needs the index
			must(t, gdb.Exec("DROP INDEX idx_posts_author_id").Error)
		}
		all, err = db.Differences(t.Context(), gdb, list[:len(list)-1])
		must(t, err)
		var got []string
		for _, d := range all {
			got = append(got, d.Where+": "+d.What)
			if d.Try == "" {
				t.Errorf("%+v: no advice", d)
			}
		}
		want := []string{
			"20990101000000_search: applied, and unknown to this program",
			"post_tags: the table is missing",
			"posts.views: the column is missing",
			"posts.note: no migration made the column",
			"posts.idx_posts_author_id: the index of author_id is missing",
			"posts.idx_posts_created_at: the index of created_at is missing",
			"posts.author_id: a foreign key without an index: deleting what it refers to reads the whole table",
		}
		if gdb.Name() == "mysql" {
			want = append(want[:4], want[5])
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Columns that exist but differ.
func TestDifferencesOfColumns(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := []db.Migration{createUsers()}
		made := `CREATE TABLE users (id integer PRIMARY KEY, username varchar(50), email varchar(254) NOT NULL, age integer NOT NULL DEFAULT 18, username_fold varchar(50))`
		if gdb.Name() == "sqlite" { // types are compared too
			made = regexp.MustCompile(`varchar\(\d+\)`).ReplaceAllString(made, "text")
		}
		must(t, gdb.Exec(made).Error)
		list[0].Up = func(*gorm.DB) error { return nil }
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		all, err := db.Differences(t.Context(), gdb, []db.Migration{createUsers()})
		must(t, err)
		var got []string
		for _, d := range all {
			got = append(got, d.Where)
			if !d.Drift {
				t.Errorf("%+v is only advice", d)
			}
		}
		if want := "users.username users.username_fold users.idx_users_email users.idx_users_username"; strings.Join(got, " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A column without its folded column, and a unique index that is not unique.
func TestDifferencesOfUniqueColumns(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		list := append(blog(), db.Migration{ID: "20990101000000_unique", Up: func(tx *gorm.DB) error {
			if err := db.UniqueNoCase(tx, "posts", "title"); err != nil {
				return err
			}
			return tx.Exec("CREATE UNIQUE INDEX idx_posts_views ON posts (views)").Error
		}})
		_, err := db.Migrate(t.Context(), gdb, list)
		must(t, err)
		for _, name := range []string{"idx_posts_title", "idx_posts_views", "idx_posts_created_at"} {
			must(t, gdb.Migrator().DropIndex("posts", name))
		}
		for _, statement := range []string{
			"ALTER TABLE posts DROP COLUMN title_folded",
			"CREATE INDEX idx_posts_views ON posts (views)",
			"CREATE INDEX another ON posts (created_at)", // as good as the dropped one
		} {
			must(t, gdb.Exec(statement).Error)
		}
		all, err := db.Differences(t.Context(), gdb, list)
		must(t, err)
		var got []string
		for _, d := range all {
			got = append(got, d.Where+": "+d.What+"; "+d.Try)
		}
		const title = `nexios add migration restore-posts-title   # db.UniqueNoCase(tx, "posts", "title")`
		want := []string{
			"posts.title_folded: the column is missing that title is compared by, whatever the case; " + title,
			"posts.idx_posts_title: the unique index of title_folded is missing; " + title,
			"posts.idx_posts_views: the unique index of views is missing; nexios add migration restore-idx-posts-views",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		must(t, db.UniqueNoCase(gdb, "posts", "title"))
		if all, err = db.Differences(t.Context(), gdb, list); err != nil || len(all) != 1 {
			t.Errorf("after the fix: %v, %v", all, err)
		}
	})
}

func TestCheckCommand(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	columns := ""
	run := func(line string) (out, problem string, code int) {
		var b strings.Builder
		err := command.Run(t.Context(), command.IO{Args: strings.Fields(line), Stdout: &b, Stderr: &b, Getenv: func(string) string { return columns }}, db.Commands(gdb, blog()), "")
		return b.String(), fmt.Sprint(err), command.ExitCode(err)
	}
	if out, problem, code := run("db check"); code != command.Found || !strings.HasPrefix(problem, "the database differs from the migrations in 4 places\n") ||
		!strings.HasPrefix(out, "drift   20260101000001_create_users: pending\n        try: migrate up\n") {
		t.Errorf("exit code %d, %s\n%s", code, problem, out)
	}
	if out, _, code := run("db check --json"); code != command.Found || !strings.HasPrefix(out, `{"differences":[{"drift":true,"where":"20260101000001_create_users","what":"pending","try":"migrate up"}`) {
		t.Errorf("exit code %d\n%s", code, out)
	}
	run("migrate up")
	if out, problem, code := run("db check"); code != 0 || out != "the database matches the migrations\n" {
		t.Errorf("exit code %d, %s\n%s", code, problem, out)
	}
	if out, _, code := run("db check --json"); code != 0 || out != `{"differences":[]}`+"\n" {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if _, _, code := run("db check posts"); code != command.Misused {
		t.Errorf("exit code %d", code)
	}
	must(t, gdb.Exec("DROP INDEX idx_posts_author_id").Error)
	if out, problem, code := run("db check"); code != command.Found || !strings.HasPrefix(problem, "the database differs from the migrations in 1 place\n") ||
		!strings.Contains(out, " to reads the whole table\n        try: nexios add migration index-posts-author-id\n") {
		t.Errorf("exit code %d, %s\n%s", code, problem, out)
	}
	columns = "80"
	if out, _, _ := run("db check"); !strings.Contains(out, "\n        to reads the whole table\n        try: nexios add migration index-posts-author-id\n") {
		t.Errorf("output on a terminal:\n%s", out)
	}
}
