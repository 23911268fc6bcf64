package e2e

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nexios-go/nexios/e2e/services"
)

// TestAdopt serves two databases of others: every table is served or named with
// the reason, the generated tests pass on the schema that the baseline builds,
// and the ordinary commands go on from there.
func TestAdopt(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("two projects are built")
	}
	server := services.Postgres(t)
	for name, flags := range map[string][]string{"legacy": nil, "clinic": {"--rename", "setting=option"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, conn := foreign(t, server, "adopt_"+name, filepath.Join("testdata", "adopt", name+".sql"))
			p := project{t: t, env: []string{"DATABASE_URL=" + address, "TEST_DATABASE_URL=" + server, "NEXIOS_CHECK=off"}}.new("shop", "--db", "postgres")

			out := p.nexios(append([]string{"adopt", "--all", "--guard", "none"}, flags...)...)
			for table := range names(t, conn, "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public' AND relkind IN ('r', 'v', 'm', 'p')") {
				line := regexp.MustCompile(`(?m)^ +(whole|partly|skipped) +` + regexp.QuoteMeta(table) + ` *(.*)$`).FindStringSubmatch(out)
				if line == nil || line[1] != "whole" && line[2] == "" {
					t.Errorf("nothing is told of %s:\n%s", table, out)
				}
			}
			if len(names(t, conn, "SELECT relname FROM pg_class WHERE relname = 'schema_migrations'")) > 0 {
				t.Error("the database was written to before anybody said yes")
			}
			p.run("go", "vet", "./...")
			p.run("go", "test", "./...")

			// The database has the baseline: it is known by its tables.
			p.run("go", "run", ".", "migrate", "up")
			p.nexios(append([]string{"adopt", "--check"}, flags...)...)
			resource := map[string]string{"legacy": "film", "clinic": "clinic"}[name]
			p.nexios("add", "field", resource, "colour:string:optional:filter")
			p.run("go", "run", ".", "migrate", "up")
			p.run("go", "test", "./internal/"+resource+"s")
			p.run("go", "run", ".", "migrate", "down")
			p.nexios("undo")
			p.nexios("upgrade")
			p.run("go", "build", "./...")

			if name == "clinic" {
				return
			}
			p.nexios("add", "resource", "poster", "title:string", "film:ref=films", "country:ref=countries")
			p.run("go", "test", "./internal/posters")
			if _, err := conn.Exec(t.Context(), "ALTER TABLE actor ADD agent text"); err != nil {
				t.Fatal(err)
			}
			if out, code := p.try(tool, "adopt", "--check"); code != 3 || !strings.Contains(out, "actor has agent:text:optional") {
				t.Errorf("exit %d of a drift:\n%s", code, out)
			}
			p.nexios("adopt", "actor", "--guard", "none")
			p.nexios("adopt", "--check")
			p.run("go", "test", "./internal/actors")
		})
	}
}

// TestAdoptRefuses what cannot be read, and never tells the password.
func TestAdoptRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ address, want string }{
		"sqlite":   {"sqlite:data/app.db", "adopt reads PostgreSQL only"},
		"no URL":   {"postgres://me:hush hush@[::1/x", "cannot be read"},
		"nobody":   {"postgres://me:hush@127.0.0.1:1/x", "does not answer"},
		"no table": {services.Postgres(t), "no table"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := project{t: t, env: []string{"DATABASE_URL=" + tc.address, "NEXIOS_CHECK=off"}}.new("shop", "--db", "postgres")
			out, code := p.try(tool, "adopt", "nothing_of_the_kind")
			if code == 0 || !strings.Contains(out, tc.want) || strings.Contains(out, "hush") {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}

// foreign makes a database of a file of SQL.
func foreign(t *testing.T, server, name, file string) (address string, conn *pgx.Conn) {
	t.Helper()
	connect := func(address string) *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		return conn
	}
	admin := connect(server)
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	conn = connect(u.String())
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
	return u.String(), conn
}

func names(t *testing.T, conn *pgx.Conn, query string) map[string]bool {
	t.Helper()
	found, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, name := range list {
		all[name] = true
	}
	return all
}
