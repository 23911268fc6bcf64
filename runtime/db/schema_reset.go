package db

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
)

// Reset drops everything in the database, applies every migration of list again and
// returns their IDs. It does not depend on the current schema, so it also works
// after a migration that stopped halfway. On PostgreSQL it drops the first schema of
// the search path, except for objects created by extensions.
func Reset(ctx context.Context, gdb *gorm.DB, list []Migration) ([]string, error) {
	err := withLock(ctx, gdb, list, func(run runner) error {
		_, err := run(false, func(tx *gorm.DB, _ map[string]time.Time) (bool, error) { return false, dropAll(tx) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("drop the tables: %w", err)
	}
	return Migrate(ctx, gdb, list)
}

// objects are the queries for what Reset drops, in a working order: the keyword for
// DROP and the quoted name.
var objects = map[string]string{
	// Dropping a virtual table drops its shadow tables.
	"sqlite": `SELECT upper(type) AS kind, printf('"%w"', name) AS name FROM sqlite_master
		WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
		ORDER BY sql LIKE 'CREATE VIRTUAL%' DESC, type DESC, sqlite_master.name`,
	"mysql": "SELECT kind, concat('`', replace(name, '`', '``'), '`') AS name FROM (" + `
			SELECT CASE WHEN table_type IN ('VIEW', 'SEQUENCE') THEN table_type ELSE 'TABLE' END AS kind, table_name AS name
			FROM information_schema.tables WHERE table_schema = database()
			UNION ALL
			SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = database()
		) AS made`,
	"postgres": `SELECT kind, name FROM (
			SELECT 'pg_class'::regclass AS class, oid, relnamespace AS schema, quote_ident(relname) AS name,
				CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
					WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind
			FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
			UNION ALL
			SELECT 'pg_proc'::regclass, oid, pronamespace, oid::regprocedure::text, 'ROUTINE' FROM pg_proc
			UNION ALL
			SELECT 'pg_type'::regclass, oid, typnamespace, quote_ident(typname), CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END
			FROM pg_type WHERE typtype IN ('e', 'd')
		) AS made
		WHERE schema = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
		AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = made.oid AND deptype = 'e')
		ORDER BY kind = 'TABLE' DESC`,
}

// dropAll drops everything that the query of objects returns.
func dropAll(tx *gorm.DB) error {
	var all []struct{ Kind, Name string }
	if err := tx.Raw(objects[tx.Name()]).Scan(&all).Error; err != nil {
		return err
	}
	cascade := ""
	switch tx.Name() {
	case "postgres":
		cascade = " CASCADE"
	case "mysql":
		if err := tx.Exec("SET FOREIGN_KEY_CHECKS = 0").Error; err != nil {
			return err
		}
		defer tx.Exec("SET FOREIGN_KEY_CHECKS = 1")
	}
	for _, o := range all {
		if err := tx.Exec("DROP " + o.Kind + " IF EXISTS " + o.Name + cascade).Error; err != nil {
			return err
		}
	}
	return nil
}

// describe returns a description of the database for people.
func describe(gdb *gorm.DB) (at string, err error) {
	query := map[string]string{
		"sqlite":   "SELECT file FROM pragma_database_list WHERE name = 'main'",
		"mysql":    "SELECT concat(database(), ' on ', @@hostname, ':', @@port)",
		"postgres": "SELECT current_database() || ', schema ' || current_schema() || coalesce(' on ' || host(inet_server_addr()) || ':' || inet_server_port(), '')",
	}[gdb.Name()]
	err = gdb.Raw(query).Scan(&at).Error
	return at, err
}

// resetCommand returns the command `db reset` for gdb.
func resetCommand(gdb *gorm.DB, list []Migration) command.Command {
	return command.Command{
		Name: "db reset", Args: "[--yes]", Summary: "drop every table with its rows, and migrate again",
		Help: "Asks for confirmation unless you pass --yes. It does not depend on the current schema,\n" +
			"so it also helps after a migration that stopped halfway.",
		Development: true,
		Run: func(ctx context.Context, std command.IO) error {
			sure := slices.Equal(std.Args, []string{"--yes"})
			if len(std.Args) > 0 && !sure {
				return command.Usage(fmt.Sprintf("unexpected argument %q\n  where: db reset\n  try:   db reset --yes", std.Args[0]))
			}
			if err := Ping(ctx, gdb); err != nil {
				return err
			}
			at, err := describe(gdb.WithContext(ctx))
			if err != nil {
				return err
			}
			if !sure {
				if err := confirm(ctx, std, "Drop every table of "+at+", with all rows? [y/N] "); err != nil {
					return err
				}
			}
			done, err := Reset(ctx, gdb, list)
			if err == nil || len(done) > 0 {
				fmt.Fprintln(std.Stdout, "dropped every table of", at)
			}
			report(std.Stdout, "applied", done, err)
			return err
		},
	}
}

// confirm asks for confirmation on a terminal; otherwise it fails.
func confirm(ctx context.Context, std command.IO, question string) error {
	needsYes := command.Usage("db reset drops every table, and needs confirmation\n  where: standard input\n  try:   db reset --yes")
	file, ok := std.Stdin.(*os.File)
	if !ok {
		return needsYes
	}
	if info, err := file.Stat(); err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return needsYes
	}
	fmt.Fprint(std.Stderr, question)
	typed := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(file).ReadString('\n')
		if err != nil {
			close(typed)
			return
		}
		typed <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer, ok := <-typed:
		if !ok {
			return needsYes
		}
		if answer == "y" || answer == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return declined{}
}

// declined is the error after the user answered no.
type declined struct{}

// Error implements error.
func (declined) Error() string { return "cancelled; nothing was dropped" }

// Unwrap makes the exit code that of a cancelled command.
func (declined) Unwrap() error { return context.Canceled }
