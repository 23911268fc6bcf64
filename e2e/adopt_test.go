package e2e

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/nexios-go/nexios/e2e/services"
)

// TestAdopt adopts two real-world databases: every table is served or reported with a
// reason, the generated tests pass on the schema that the baseline builds, and the
// ordinary commands work afterwards.
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
					t.Errorf("no report on %s:\n%s", table, out)
				}
			}
			if len(names(t, conn, "SELECT relname FROM pg_class WHERE relname = 'schema_migrations'")) > 0 {
				t.Error("the database was changed before confirmation")
			}
			p.run("go", "vet", "./...")
			p.test()

			// The database has the baseline already, which is recognized by its tables. An
			// empty database gets it, and then has the same schema.
			p.run("go", "run", ".", "migrate", "up")
			p.nexios(append([]string{"adopt", "--check"}, flags...)...)
			empty, _ := foreign(t, server, "adopted_"+name, "")
			built := p
			built.env = append(slices.Clone(p.env), "DATABASE_URL="+empty)
			built.run("go", "run", ".", "migrate", "up")
			built.nexios(append([]string{"adopt", "--check"}, flags...)...)
			resource := map[string]string{"legacy": "film", "clinic": "clinic"}[name]
			p.nexios("add", "field", resource, "colour:string:optional:filter")
			p.run("go", "run", ".", "migrate", "up")
			p.test(resource + "s")
			p.run("go", "run", ".", "migrate", "down")
			p.nexios("undo")
			p.nexios("upgrade")
			p.run("go", "build", "./...")

			if name == "clinic" {
				return
			}
			p.nexios("add", "resource", "poster", "title:string", "film:ref=films", "country:ref=countries")
			p.test("posters")
			p.nexios("add", "field", "actor", "nickname:string:optional:filter")
			p.run("go", "run", ".", "migrate", "up")
			if _, err := conn.Exec(t.Context(), "ALTER TABLE actor ADD agent text"); err != nil {
				t.Fatal(err)
			}
			if out, code := p.try(tool, "adopt", "--check"); code != 3 || !strings.Contains(out, "actor has agent:text:optional") {
				t.Errorf("exit %d of a drift:\n%s", code, out)
			}
			p.nexios("adopt", "actor") // keeping the earlier options and later changes
			p.nexios("adopt", "--check")
			p.test("actors")
		})
	}
}

// TestAdoptOthers adopts real-world databases on SQLite and MariaDB.
func TestAdoptOthers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("two projects are built")
	}
	for _, kind := range []string{"sqlite", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata", "adopt", kind+".sql"))
			if err != nil {
				t.Fatal(err)
			}
			var pool *sql.DB
			env := []string{"NEXIOS_CHECK=off"}
			switch kind {
			case "sqlite":
				file := filepath.Join(t.TempDir(), "others.db")
				pool, err = sql.Open("sqlite", "file:"+file)
				env = append(env, "DATABASE_URL=sqlite:"+file)
			case "mysql":
				server := services.MySQL(t)
				u, err := url.Parse(server)
				if err != nil {
					t.Fatal(err)
				}
				cfg := mysql.NewConfig()
				cfg.User, cfg.Net, cfg.Addr, cfg.MultiStatements = u.User.Username(), "tcp", u.Host, true
				cfg.Passwd, _ = u.User.Password()
				admin, err := sql.Open("mysql", cfg.FormatDSN())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { admin.Close() })
				if _, err := admin.ExecContext(t.Context(), "DROP DATABASE IF EXISTS adopt_others; CREATE DATABASE adopt_others"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _, _ = admin.ExecContext(context.Background(), "DROP DATABASE adopt_others") })
				u.Path, cfg.DBName = "/adopt_others", "adopt_others"
				pool, err = sql.Open("mysql", cfg.FormatDSN())
				if err != nil {
					t.Fatal(err)
				}
				env = append(env, "DATABASE_URL="+u.String(), "TEST_DATABASE_URL="+server)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { pool.Close() })
			if _, err := pool.ExecContext(t.Context(), string(text)); err != nil {
				t.Fatal(err)
			}

			p := project{t: t, env: env}.new("shop", "--db", kind)
			out := p.nexios("adopt", "--all", "--guard", "none")
			for _, want := range []string{"whole +film_category +as categories of films", "partly +audit_log +it has no primary key", "skipped +two words"} {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			p.nexios("add", "field", "film", "colour:string:optional:filter", "marks:many=categories")
			p.nexios("add", "resource", "poster", "title:string", "film:ref=films", "country:ref=countries")
			p.run("go", "vet", "./...")
			p.test("films", "drugs", "hens", "eggs", "customerorders", "posters")
			p.run("go", "run", ".", "migrate", "up")
			p.nexios("adopt", "--check")
			if _, err := pool.ExecContext(t.Context(), "ALTER TABLE actor ADD agent varchar(20)"); err != nil {
				t.Fatal(err)
			}
			if out, code := p.try(tool, "adopt", "--check"); code != 3 || !strings.Contains(out, "actor has agent:string:optional:max=20") {
				t.Errorf("exit %d of a drift:\n%s", code, out)
			}
			p.nexios("adopt", "actor", "film")
			p.nexios("adopt", "--check")
			p.test("films", "actors")

			p.nexios("change", "field", "staff", "username:string:max=40:unique=nocase")
			p.nexios("rename", "field", "actor", "first_name", "given_name")
			p.nexios("remove", "field", "film", "length")
			p.nexios("upgrade")
			p.run("go", "run", ".", "migrate", "up")
			p.nexios("adopt", "--check")
			p.nexios("remove", "resource", "shift")
			p.nexios("undo")
			p.nexios("adopt", "--check")
		})
	}
}

// TestAdoptReportsPrivileges: tables and columns that the user may not read or write are
// reported.
func TestAdoptReportsPrivileges(t *testing.T) {
	t.Parallel()
	server := services.Postgres(t)
	address, conn := foreign(t, server, "adopt_rights", "")
	if _, err := conn.Exec(t.Context(), `CREATE TABLE open (id serial PRIMARY KEY, name text); CREATE TABLE closed (id serial PRIMARY KEY, name text);
		CREATE TABLE partly (id serial PRIMARY KEY, name text, salary int); CREATE TABLE shown (id serial PRIMARY KEY, name text);
		CREATE ROLE adopt_reader LOGIN PASSWORD 'x'; GRANT SELECT, INSERT, UPDATE, DELETE ON open TO adopt_reader;
		GRANT SELECT (id, name) ON partly TO adopt_reader; GRANT SELECT ON shown TO adopt_reader`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Exec(context.Background(), "DROP OWNED BY adopt_reader; DROP ROLE adopt_reader") })
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("adopt_reader", "x")
	p := project{t: t, env: []string{"DATABASE_URL=" + u.String(), "NEXIOS_CHECK=off"}}.new("shop", "--db", "postgres")
	out := p.nexios("adopt", "--all", "--guard", "none", "--dry-run")
	for _, want := range []string{
		`whole +open +\n`, `skipped +closed +the user of DATABASE_URL may not read it\n`, `partly +shown +it is read-only: the user of DATABASE_URL may not write to it\n`,
		`partly +partly +it is read-only: .*; salary is left out: the user of DATABASE_URL may not read it\n`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestAdoptErrors: errors for unreadable databases do not reveal the password.
func TestAdoptErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ address, want string }{
		"sqlite":   {"sqlite:data/app.db", "this project uses postgres, but DATABASE_URL is for sqlite"},
		"no URL":   {"postgres://me:hush hush@[::1/x", "cannot be read"},
		"oracle":   {"oracle://me:hush@h/x", `unknown scheme "oracle"`},
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

// foreign creates a database from a SQL file.
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
	if file == "" {
		return u.String(), conn
	}
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
