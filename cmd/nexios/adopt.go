package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/catalog"
	"github.com/nexios-go/nexios/runtime/config"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/adopt"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

func adoptCommand() *cobra.Command {
	var (
		f      changeFlags
		o      adopt.Options
		all    bool
		check  bool
		schema string
		rename []string
	)
	cmd := &cobra.Command{
		Use:   "adopt [TABLE...]",
		Short: "Serve the tables of an existing database",
		Long: `Serve the tables of the database in DATABASE_URL, from the environment or .env:
PostgreSQL, MariaDB, MySQL or SQLite. Its catalog is read in a read-only
transaction; models, routes and tests are written for the tables as they are,
with their names, keys, types and relations. A table that only joins two others
becomes a many field. Without --guard the routes only read.

A baseline migration builds the schema on an empty database, for tests and
replicas. With your consent it is marked as applied in this one; nothing else is
written to the database. Run the same command again once the schema has changed.

A report lists each table: whether it is served whole, partly or not, and why.
With --check nothing is written, and the exit code is 3 if the database and the
project differ.`,
		Example: `  nexios adopt --all
  nexios adopt film actor --guard user --rename film=movie
  nexios adopt --all --except audit_log --only list/show
  nexios adopt film_list --key fid
  nexios adopt --check`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.Rename, err = renames(rename); err != nil {
				return err
			}
			o.Tables = args
			if len(args) == 0 && !all && !check {
				return &problem.Error{What: "no tables were named", Label: "form", Where: "nexios adopt TABLE... or --all", Try: "nexios adopt --all"}
			}
			if len(args) > 0 && all {
				return &problem.Error{What: "--all cannot be combined with names of tables", Try: "nexios adopt --all"}
			}
			if check {
				f.dryRun = true
			}
			return inProject(cmd, f, func(open opened, at string) error { return adoptTables(cmd, f, open, at, o, schema, check) })
		},
	}
	f.add(cmd, projectHelp)
	f.addMarkers(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&all, "all", false, "all tables and views")
	flags.BoolVar(&check, "check", false, "only compare; exit 3 if database and project differ")
	flags.StringVar(&schema, "schema", "", "the schema to read (default: the first of the search path)")
	flags.StringSliceVar(&o.Except, "except", nil, "tables to leave out")
	flags.StringSliceVar(&o.Only, "only", nil, "serve only these actions: "+strings.Join(spec.Actions(), "/"))
	flags.StringVar(&o.Guard, "guard", "", "who may call the routes: none, user, admin (default: the routes only read)")
	flags.StringSliceVar(&o.Key, "key", nil, "columns that identify a row of a view or of a table without a key")
	flags.StringSliceVar(&rename, "rename", nil, "a name for the resource of a table: film=movie")
	completeFlag(cmd, "guard", described([]string{"none", "user", "admin"}, aboutWho()))
	completeFlag(cmd, "only", described(spec.Actions(), aboutActions()))
	return cmd
}

func renames(pairs []string) (map[string]string, error) {
	names := map[string]string{}
	for _, pair := range pairs {
		table, name, ok := strings.Cut(pair, "=")
		if !ok || table == "" || name == "" {
			return nil, &problem.Error{What: fmt.Sprintf("--rename %s is not TABLE=NAME", pair), Label: "form", Where: "TABLE=NAME", Try: "nexios adopt film --rename film=movie"}
		}
		names[table] = name
	}
	return names, nil
}

// adoptTables serves the tables in o, or with check compares them. at is the time of
// the baseline.
func adoptTables(cmd *cobra.Command, f changeFlags, open opened, at string, o adopt.Options, schema string, check bool) error {
	if check && len(o.Tables) == 0 {
		for _, r := range open.spec.Resources {
			if r.Existing != nil {
				o.Tables = append(o.Tables, r.TableName())
			}
		}
		if len(o.Tables) == 0 {
			return &problem.Error{Kind: problem.Failure, What: "this project has adopted no tables", Where: open.dir, Try: "nexios adopt --all"}
		}
	}
	address, err := setting(open.dir, "DATABASE_URL")
	if err != nil {
		return err
	}
	from := catalog.Options{URL: address, Dir: open.dir, Schema: schema, Without: open.spec.Made()}
	if err := sameDatabase(open.spec, address); err != nil {
		return err
	}
	found, err := catalog.Read(cmd.Context(), from)
	if err != nil {
		return err
	}
	if check { // a missing table is reported as drift, not as a usage error
		o.Tables = slices.DeleteFunc(o.Tables, func(name string) bool {
			return !slices.ContainsFunc(found.Tables, func(t adopt.Table) bool { return t.Name == name })
		})
		if len(o.Tables) == 0 {
			return reportDrift(cmd, open.spec, spec.Project{}, nil)
		}
	}
	project, lines, err := adopt.Of(open.spec, found, o)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if !wantsJSON(cmd) {
		if err := reportLines(out, lines, found.Unbuilt); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if check {
		return reportDrift(cmd, open.spec, project, lines)
	}
	if !slices.ContainsFunc(lines, func(l adopt.Line) bool { return l.Outcome != adopt.Skipped }) {
		return &problem.Error{Kind: problem.Failure, What: "none of the tables can be served", Where: "the reasons are above", Try: "nexios adopt --help"}
	}
	// An existing baseline is regenerated: it creates the schema as it is now.
	made, err := fs.Glob(open.Files(), "internal/migrations/*_baseline.go")
	if err != nil {
		return err
	}
	again := len(made) == 1 && hasAdopted(open.spec)
	if again {
		if err := checkRebuild(open.spec, project, made[0]); err != nil {
			return err
		}
		at, _, _ = strings.Cut(path.Base(made[0]), "_")
	}
	project.Resources = slices.Clone(project.Resources)
	for i, r := range project.Resources {
		if r.Existing != nil && r.Migration == "" {
			project.Resources[i].Migration = at // later migrations come after the baseline
		}
	}
	var tables []string
	for _, t := range found.Tables {
		if !t.View && t.Skip == "" {
			tables = append(tables, t.Name)
		}
	}
	baseline := view.BaselineOf(at, tables, found.Build, found.Drop)
	if again && indexChanged(open.spec) >= 0 {
		baseline = view.Baseline{} // see checkRebuild
	}
	p, err := open.catalog.Adopt(open.spec, project, open.Files(), baseline)
	if err != nil {
		return err
	}
	how := changing{title: "adopt " + strings.Join(o.Tables, " "), next: []string{"go test ./...", "go run . serve"}}
	if server := map[string]string{"postgres": "PostgreSQL", "mysql": "MySQL or MariaDB"}[project.Database]; server != "" {
		how.next[0] += ", with TEST_DATABASE_URL set to a " + server + " server"
	}
	if found.Setting != "" {
		how.next = append([]string{"append " + found.Setting + " to DATABASE_URL"}, how.next...)
	}
	if len(o.Tables) == 0 {
		how.title = "adopt --all"
	}
	marks := !again && len(p.Changes()) > 0 && !p.HasConflicts()
	if err := carryOver(cmd, f, open, p, how); err != nil || !marks {
		return err
	}
	if f.dryRun {
		if !wantsJSON(cmd) {
			fmt.Fprintln(out, "\nwith --yes, "+baseline.ID+" is also marked as applied in the database")
		}
		return nil
	}
	return markApplied(cmd, f, from, baseline.ID)
}

// sameDatabase rejects a DATABASE_URL for another kind of database than the project's.
func sameDatabase(p spec.Project, url string) error {
	kind := catalog.Database(url)
	if kind == "" || kind == p.Database {
		return nil
	}
	return &problem.Error{
		Kind: problem.Failure, What: "this project uses " + p.Database + ", but DATABASE_URL is for " + kind,
		Where: scaffold.SpecFile, Try: "nexios new shop --db " + kind,
	}
}

// indexChanged returns the index of an adopted resource that migrations of the project
// have changed, or -1.
func indexChanged(p spec.Project) int {
	return slices.IndexFunc(p.Resources, func(r spec.Resource) bool { return r.Existing != nil && len(r.Changed) > 0 })
}

// checkRebuild rejects regenerating a baseline whose tables later migrations have
// changed: those migrations would not find the columns they change.
func checkRebuild(old, now spec.Project, file string) error {
	at := indexChanged(old)
	if at < 0 || reflect.DeepEqual(old.Resources, now.Resources) {
		return nil
	}
	p := &problem.Error{
		Kind:  problem.Failure,
		What:  "the baseline cannot be regenerated: later migrations have changed " + old.Resources[at].TableName(),
		Where: file, Try: "add each new column with nexios add field; its migration skips one that exists",
	}
	for _, after := range now.Resources {
		before, _ := old.Resource(after.Name)
		for _, word := range after.Fields {
			if before.Name == after.Name && !slices.Contains(before.Fields, word) {
				p.Try = "nexios add field " + after.Name + " " + word
				return p
			}
		}
	}
	return p
}

// markApplied records the baseline as applied if the user agrees.
func markApplied(cmd *cobra.Command, f changeFlags, to catalog.Options, migration string) error {
	later := "go run . migrate up marks the baseline as applied, since its tables exist"
	if !f.yes {
		if !canAsk(cmd) {
			fmt.Fprintln(cmd.OutOrStdout(), "\nnothing was written to the database; "+later)
			return nil
		}
		fmt.Fprintln(cmd.OutOrStdout())
		switch err := confirm(cmd, "Mark "+migration+" as applied in the database?"); {
		case errors.Is(err, errCancelled):
			fmt.Fprintln(cmd.OutOrStdout(), "\nnothing was written to the database; "+later)
			return nil
		case err != nil:
			return err
		}
	}
	if err := catalog.Mark(cmd.Context(), to, migration); err != nil {
		return &problem.Error{Kind: problem.Failure, What: "the baseline is not marked as applied: " + err.Error(), Where: "table schema_migrations", Try: "go run . migrate up"}
	}
	if !wantsJSON(cmd) {
		fmt.Fprintln(cmd.OutOrStdout(), "\n"+migration+" is marked as applied")
	}
	return nil
}

// hasAdopted reports whether the project has adopted tables.
func hasAdopted(p spec.Project) bool {
	return slices.ContainsFunc(p.Resources, func(r spec.Resource) bool { return r.Existing != nil })
}

// reportDrift reports the differences between database and project. If there are any, it
// returns an error with exit code 3.
func reportDrift(cmd *cobra.Command, old, now spec.Project, lines []adopt.Line) error {
	differ := []string{}
	for _, before := range old.Resources {
		if before.Existing == nil {
			continue
		}
		at := slices.IndexFunc(now.Resources, func(r spec.Resource) bool { return r.TableName() == before.TableName() && r.Name == before.Name })
		if at < 0 {
			why := "no longer exists"
			if i := slices.IndexFunc(lines, func(l adopt.Line) bool { return l.Table == before.TableName() }); i >= 0 {
				why = "cannot be served: " + strings.Join(lines[i].Why, "; ")
			}
			differ = append(differ, before.TableName()+" "+why)
			continue
		}
		after := now.Resources[at]
		for _, word := range before.Fields {
			if !slices.Contains(after.Fields, word) {
				differ = append(differ, before.TableName()+" lacks "+word)
			}
		}
		for _, word := range after.Fields {
			if !slices.Contains(before.Fields, word) {
				differ = append(differ, before.TableName()+" has "+word)
			}
		}
		if !reflect.DeepEqual(before.Existing.Key, after.Existing.Key) || before.ID() != after.ID() {
			differ = append(differ, before.TableName()+" has a different key")
		}
	}
	for _, line := range lines {
		for _, what := range line.Drift {
			differ = append(differ, line.Table+" "+what)
		}
	}
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		if err := json.NewEncoder(out).Encode(map[string]any{"tables": lines, "drift": differ}); err != nil {
			return err
		}
	} else {
		for _, line := range differ {
			fmt.Fprintln(out, "  "+plan.Visible(line))
		}
	}
	if len(differ) == 0 {
		if !wantsJSON(cmd) {
			fmt.Fprintln(out, "the database and the project agree")
		}
		return nil
	}
	var tables []string
	for _, line := range differ {
		if table, _, _ := strings.Cut(line, " "); !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	return &problem.Error{
		Kind: problem.Conflict, What: fmt.Sprintf("differences between the database and the project: %d", len(differ)),
		Where: scaffold.SpecFile, Try: "nexios adopt " + strings.Join(tables, " "),
	}
}

// reportLines prints the outcome for each table.
func reportLines(w io.Writer, lines []adopt.Line, unbuilt []string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, line := range lines {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", line.Outcome, plan.Visible(line.Table), plan.Visible(strings.Join(slices.Concat(line.Why, line.Notes), "; ")))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, what := range unbuilt {
		fmt.Fprintln(w, "  the baseline does not create "+plan.Visible(what))
	}
	return nil
}

// setting returns a setting from the environment or, if it is not set there, from the
// project's .env.
func setting(dir, name string) (string, error) {
	value, ok := os.LookupEnv(name)
	if !ok {
		file, err := config.ReadFile(filepath.Join(dir, ".env"))
		if err != nil {
			return "", err
		}
		value = file[name]
	}
	if value == "" {
		return "", &problem.Error{
			Kind: problem.Failure, What: name + " is not set", Where: "the environment, or " + filepath.Join(dir, ".env"),
			Try: name + "=postgres://USER:PASSWORD@HOST/NAME nexios adopt --all",
		}
	}
	return value, nil
}
