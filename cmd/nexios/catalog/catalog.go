// Package catalog reads what a database holds, for `nexios adopt`. It reads in
// one transaction that cannot write; only Mark writes, one row.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nexios-go/nexios/runtime/db/address"
	"github.com/nexios-go/nexios/scaffold/adopt"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// Options are how a database is found and read.
type Options struct {
	URL    string // as DATABASE_URL has it
	Dir    string // of the project, where a file's path begins
	Schema string // of PostgreSQL; "" is the one in which tables are looked up first
	// Without are tables that migrations of the project make.
	Without []string
}

// Database is the name that a project has for the kind of database of a URL: one
// of spec.Databases, or "" for another.
func Database(url string) string {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		return "sqlite"
	case "postgres", "postgresql":
		return "postgres"
	case "mysql", "mariadb":
		return "mysql"
	}
	return ""
}

// Read returns the catalog of a database.
func Read(ctx context.Context, o Options) (adopt.Catalog, error) {
	o.Without = append([]string{migrationsTable}, o.Without...)
	if o.Schema != "" && Database(o.URL) != "postgres" {
		return adopt.Catalog{}, &problem.Error{What: "--schema is for PostgreSQL only", Where: "DATABASE_URL", Try: "nexios adopt --all"}
	}
	switch o.URL = address.Escape(o.URL); Database(o.URL) {
	case "sqlite":
		return readSQLite(ctx, o)
	case "postgres":
		return readPostgres(ctx, o)
	case "mysql":
		return readMySQL(ctx, o)
	}
	scheme, _, ok := strings.Cut(o.URL, ":")
	if !ok {
		scheme = ""
	}
	return adopt.Catalog{}, &problem.Error{
		Kind: problem.Failure, What: fmt.Sprintf("DATABASE_URL has an unknown scheme %q", scheme),
		Label: "kinds", Where: "sqlite:FILE  postgres://USER:PASSWORD@HOST/NAME  mysql://USER:PASSWORD@HOST/NAME",
		Try: "DATABASE_URL=sqlite:data/app.db nexios adopt --all",
	}
}

// migrationsTable is where the project's own programs keep what is applied.
const migrationsTable = "schema_migrations"

// Mark records that a migration is applied, in the table that the project's own
// programs keep. It makes that table where it is not there yet.
func Mark(ctx context.Context, o Options, migration string) error {
	at := time.Now().UTC().Truncate(time.Millisecond)
	switch o.URL = address.Escape(o.URL); Database(o.URL) {
	case "sqlite":
		return markSQLite(ctx, o, migration, at)
	case "mysql":
		return markMySQL(ctx, o, migration, at)
	}
	return markPostgres(ctx, o, migration, at)
}

// silent is the error of a database that cannot be reached. It tells nothing of a
// password in its URL.
func silent(where string, err error) error {
	e := &problem.Error{Kind: problem.Failure, What: "the database does not answer", Where: where, Try: "check that it runs, and the host and port of DATABASE_URL"}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		e.What = "the database did not answer in time"
	}
	return e
}

// unread is the error of a URL of that kind which nobody understands.
func unread(kind string) error {
	return &problem.Error{
		Kind: problem.Failure, What: "DATABASE_URL cannot be read as a " + kind + " URL",
		Where: "the environment, or .env", Try: "percent-encode its password: / is %2F, @ is %40, # is %23",
	}
}

// find is the table of that name.
func find(c *adopt.Catalog, name string) *adopt.Table {
	if at := slices.IndexFunc(c.Tables, func(t adopt.Table) bool { return t.Name == name }); at >= 0 {
		return &c.Tables[at]
	}
	return &adopt.Table{} // of a kind that is not read
}

// actions are what foreign keys do when a row goes, as a field says it.
var actions = map[string]string{"CASCADE": "cascade", "SET NULL": "null", "NO ACTION": "restrict", "RESTRICT": "restrict"}

// unreadable is why a table that the user of the database has no right to is not
// served.
const unreadable = "the user of DATABASE_URL may not read it"

// made is why a table that migrations of the project make is not served.
const made = "the project's own migrations make it"
