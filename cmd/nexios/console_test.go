package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// The client uses the settings in DATABASE_URL, and gets the password where other users
// cannot see it.
func TestClientOf(t *testing.T) {
	for _, c := range []struct{ at, program, args, env string }{
		{"sqlite:data/shop.db", "sqlite3", "-cmd .timeout 5000 -cmd PRAGMA foreign_keys = ON data/shop.db", ""},
		{"sqlite:///var/shop.db", "sqlite3", "-cmd .timeout 5000 -cmd PRAGMA foreign_keys = ON /var/shop.db", ""},
		{"postgres://u:se/c%25r@t@h:5433/shop?sslmode=disable&search_path=a%20b,public&default_query_exec_mode=exec", "psql", "",
			"PGHOST=h PGPORT=5433 PGUSER=u PGDATABASE=shop PGPASSWORD=se/c%r@t PGSSLMODE=disable PGOPTIONS=-c search_path=a\\ b,public"},
		{"postgres://u@h/shop?sslmode=disable", "psql", "", "PGHOST=h PGPORT=5432 PGUSER=u PGDATABASE=shop PGSSLMODE=disable"},
		{"mysql://u:secret@h/shop", "mariadb", "--protocol=tcp --host=h --port=3306 --user=u --database=shop --default-character-set=utf8mb4 --local-infile=0 --skip-ssl", "MYSQL_PWD=secret"},
		{"mariadb://u:secret@h:3307/shop?tls=true", "mysql", "--protocol=tcp --host=h --port=3307 --user=u --database=shop --default-character-set=utf8mb4 --local-infile=0 --ssl-mode=VERIFY_IDENTITY", "MYSQL_PWD=secret"},
	} {
		got, err := clientOf(c.at)
		if err != nil {
			t.Errorf("%s: %v", c.at, err)
			continue
		}
		args, env := strings.Join(got.args[c.program], " "), strings.Join(got.env, " ")
		if !slices.Contains(got.programs, c.program) || args != c.args || env != c.env {
			t.Errorf("%s: %s %s\nin %s", c.at, c.program, args, env)
		}
		if strings.Contains(args, "secret") {
			t.Errorf("%s: the password is in the arguments", c.at)
		}
	}
	if _, err := clientOf("sqlite::memory:"); err == nil {
		t.Error("sqlite::memory: should be rejected")
	}
}

// Without an installed client, the error suggests how to install one.
func TestMissingDatabaseClient(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, at := range []string{"sqlite:shop.db", "postgres://u@h/shop", "mysql://u@h/shop"} {
		c, err := clientOf(at)
		if err != nil {
			t.Fatal(err)
		}
		cause := (*problem.Error)(nil)
		if err := c.run(&cobra.Command{}, t.TempDir()); !errors.As(err, &cause) || !strings.Contains(cause.What, "not installed") || !strings.Contains(cause.Try, "install ") {
			t.Errorf("%s: %v", at, err)
		}
	}
}
