// Package catalog reads the schema of a database, for `nexios adopt`. It reads in one
// read-only transaction; only Mark writes, a single row.
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

// Options specify a database and what to read.
type Options struct {
	URL    string // as in DATABASE_URL
	Dir    string // of the project; relative paths of files start here
	Schema string // for PostgreSQL; "" is the first one in the search path
	// Without are tables that migrations of the project create.
	Without []string
}

// Database returns the project's name for the kind of database in a URL: one of
// spec.Databases, or "" if unknown.
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

// migrationsTable is where the project's program records applied migrations.
const migrationsTable = "schema_migrations"

// Mark records a migration as applied in migrationsTable, which it creates if
// necessary.
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

// unreachable returns the error for a database that cannot be reached. It omits the
// text of err, which could contain the password in the URL.
func unreachable(where string, err error) error {
	e := &problem.Error{Kind: problem.Failure, What: "the database does not answer", Where: where, Try: "check that it runs, and the host and port of DATABASE_URL"}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		e.What = "the database did not answer in time"
	}
	return e
}

// invalidURL returns the error for an invalid URL of the named kind of database.
func invalidURL(kind string) error {
	return &problem.Error{
		Kind: problem.Failure, What: "DATABASE_URL cannot be read as a " + kind + " URL",
		Where: "the environment, or .env", Try: "percent-encode its password: / is %2F, @ is %40, # is %23",
	}
}

// find returns the table of that name.
func find(c *adopt.Catalog, name string) *adopt.Table {
	if at := slices.IndexFunc(c.Tables, func(t adopt.Table) bool { return t.Name == name }); at >= 0 {
		return &c.Tables[at]
	}
	return &adopt.Table{} // of a kind that is not read
}

// actions maps the actions of foreign keys on delete to those of fields.
var actions = map[string]string{"CASCADE": "cascade", "SET NULL": "null", "NO ACTION": "restrict", "RESTRICT": "restrict"}

// skipUnreadable is why a table without SELECT privilege is not served.
const skipUnreadable = "the user of DATABASE_URL may not read it"

// skipMigrated is why a table that migrations of the project create is not served.
const skipMigrated = "the project's own migrations make it"
