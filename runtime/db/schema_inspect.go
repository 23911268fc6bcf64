package db

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
)

// Difference is a difference between a database and the result of its migrations,
// or advice.
type Difference struct {
	Drift bool   `json:"drift"` // false: advice only
	Where string `json:"where"` // a migration, a table, or a column or an index of one: posts.title
	What  string `json:"what"`
	Try   string `json:"try"`
}

// Differences compares a database with the result of the migrations of list and
// changes nothing. It reports migrations that are pending or that the program does
// not know; tables, columns and indexes that are missing; columns that no migration
// created, or whose nullability differs; and, as advice, foreign keys without an
// index. It runs the applied migrations on an empty SQLite database for comparison,
// so column types are compared on SQLite only. It ignores tables that no migration
// created, which may belong to another program.
func Differences(ctx context.Context, gdb *gorm.DB, list []Migration) ([]Difference, error) {
	states, err := Status(ctx, gdb, list)
	if err != nil {
		return nil, err
	}
	all := []Difference{}
	drift := func(where, what, try string) { all = append(all, Difference{true, where, what, try}) }
	pending := map[string]bool{}
	for _, s := range states {
		switch {
		case s.Applied == nil:
			pending[s.ID] = true
			drift(s.ID, "pending", "migrate up")
		case s.Unknown:
			drift(s.ID, "applied, and unknown to this program", "migrate down, with the program that has it")
		}
	}
	is, err := readSchema(gdb.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	must, err := schemaOf(ctx, slices.DeleteFunc(slices.Clone(list), func(m Migration) bool { return pending[m.ID] }))
	if err != nil {
		all = append(all, Difference{false, "migrations", "they do not run on SQLite, so tables are not compared: " + firstLine(err), "migrations that run on every database"})
		return append(all, missingIndexes(is, is)...), nil
	}
	for _, name := range sortedKeys(must) {
		if name == pendingTable(strings.TrimSuffix(name, pendingTable(""))) && gdb.Name() != "sqlite" {
			continue // SearchIndex creates it on SQLite only
		}
		table, there := is[name]
		if !there {
			drift(name, "the table is missing", "nexios add migration restore-"+dashed(name))
			continue
		}
		for _, c := range sortedKeys(must[name].columns) {
			want := must[name].columns[c]
			has, there := table.columns[c]
			switch {
			case !there && must[name].folds(c):
				drift(name+"."+c, "the column is missing that "+strings.TrimSuffix(c, "_folded")+" is compared by, whatever the case", must[name].refoldCommand(name, c))
			case !there:
				drift(name+"."+c, "the column is missing", "nexios add migration restore-"+dashed(name, c))
			case gdb.Name() == "sqlite" && !strings.EqualFold(has.Type, want.Type):
				drift(name+"."+c, fmt.Sprintf("it is %s, not %s", cmp.Or(has.Type, "without a type"), want.Type), "nexios add migration retype-"+dashed(name, c))
			case has.Required && !want.Required:
				drift(name+"."+c, "it does not allow null, but should", "nexios add migration relax-"+dashed(name, c))
			case !has.Required && want.Required:
				drift(name+"."+c, "it allows null, but should not", "nexios add migration require-"+dashed(name, c))
			}
		}
		for _, c := range sortedKeys(table.columns) {
			if _, known := must[name].columns[c]; !known {
				drift(name+"."+c, "no migration made the column", "nexios add migration drop-"+dashed(name, c))
			}
		}
		for _, index := range sortedKeys(must[name].indexes) {
			if index == primaryIndex || strings.HasPrefix(index, "sqlite_") {
				continue // of a constraint, whose name depends on the database
			}
			columns, unique := must[name].indexes[index], must[name].unique[index]
			if table.indexed(shortened(gdb, index), columns, unique) {
				continue
			}
			what, try := "index", "nexios add migration restore-"+dashed(index)
			if unique {
				what = "unique index"
			}
			for _, c := range columns {
				if must[name].folds(c) {
					try = must[name].refoldCommand(name, c)
				}
			}
			drift(name+"."+index, fmt.Sprintf("the %s of %s is missing", what, strings.Join(columns, ", ")), try)
		}
	}
	return append(all, missingIndexes(must, is)...), nil
}

// indexed reports whether the table has an index with that name, or else one on the
// same columns, that is unique if it must be.
func (t tableSchema) indexed(name string, columns []string, unique bool) bool {
	if _, there := t.indexes[name]; there {
		return t.unique[name] || !unique
	}
	for other, of := range t.indexes {
		if slices.Equal(of, columns) && !slices.Contains(of, "") && t.unique[other] == unique {
			return true
		}
	}
	return false
}

// folds reports whether a column is the folded form of another.
func (t tableSchema) folds(column string) bool {
	base, folded := strings.CutSuffix(column, "_folded")
	_, there := t.columns[base]
	return folded && there && t.columns[column].Type == fmt.Sprintf("varchar(%d)", maxFolded)
}

// refoldCommand returns the command that restores a missing folded column.
func (t tableSchema) refoldCommand(table, column string) string {
	base := strings.TrimSuffix(column, "_folded")
	call, within := "NoCase", ""
	for _, name := range sortedKeys(t.indexes) {
		if columns := t.indexes[name]; t.unique[name] && slices.Contains(columns, column) {
			call, within = "UniqueNoCase", ""
			for _, c := range columns {
				if c != column {
					within += fmt.Sprintf(", %q", c)
				}
			}
		}
	}
	return fmt.Sprintf("nexios add migration restore-%s   # db.%s(tx, %q, %q%s)", dashed(table, base), call, table, base, within)
}

// schemaOf returns the schema that migrations create.
func schemaOf(ctx context.Context, list []Migration) (_ map[string]tableSchema, err error) {
	empty, err := Open("sqlite::memory:", Options{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := Close(empty); err == nil {
			err = closed
		}
	}()
	if _, err := Migrate(ctx, empty, list); err != nil {
		return nil, err
	}
	return readSchema(empty.WithContext(ctx))
}

// missingIndexes returns advice about foreign keys, of the tables in ours, that no
// index starts with. For a key of several columns an index on the last one is
// enough: it identifies the row, and the others only scope it.
func missingIndexes(ours, is map[string]tableSchema) []Difference {
	var all []Difference
	for _, name := range sortedKeys(is) {
		if _, known := ours[name]; !known {
			continue
		}
		for _, key := range sortedKeys(is[name].keys) {
			columns := is[name].keys[key]
			found := false
			for _, index := range is[name].indexes {
				found = found || len(index) > 0 && index[0] == columns[len(columns)-1] || len(index) >= len(columns) && sameSet(index[:len(columns)], columns)
			}
			if !found {
				all = append(all, Difference{false, name + "." + strings.Join(columns, ","), "a foreign key without an index: deleting what it refers to reads the whole table",
					"nexios add migration index-" + dashed(append([]string{name}, columns...)...)})
			}
		}
	}
	return all
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// shortened returns a name as the database stores it.
func shortened(gdb *gorm.DB, name string) string {
	if gdb.Name() == "postgres" && len(name) > 63 {
		return name[:63]
	}
	return name
}

func dashed(names ...string) string {
	return strings.ReplaceAll(strings.Join(names, "-"), "_", "-")
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// checkCommand returns the command `db check` for gdb.
func checkCommand(gdb *gorm.DB, list []Migration) command.Command {
	return command.Command{
		Name: "db check", Args: "[--json]", Summary: "compare the database with the migrations; exit 3 if they differ",
		Help: "Changes nothing. Advice, such as a foreign key without an index, is listed but\n" +
			"does not count as a difference.",
		Run: func(ctx context.Context, io command.IO) error {
			asJSON := slices.Equal(io.Args, []string{"--json"})
			if len(io.Args) > 0 && !asJSON {
				return command.Usage(fmt.Sprintf("unexpected argument %q\n  where: db check\n  try:   db check --json", io.Args[0]))
			}
			all, err := Differences(ctx, gdb, list)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(io.Stdout).Encode(map[string]any{"differences": all})
			} else {
				err = listDifferences(io.Stdout, io.Columns(), all)
			}
			places, try := 0, ""
			for _, d := range all {
				if d.Drift {
					places++
					try = cmp.Or(try, d.Try)
				}
			}
			if err != nil || places == 0 {
				return err
			}
			what := "places"
			if places == 1 {
				what = "place"
			}
			return command.Finding(fmt.Sprintf("the database differs from the migrations in %d %s\n  where: the list on standard output\n  try:   %s", places, what, try))
		},
	}
}

func listDifferences(w io.Writer, columns int, all []Difference) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "the database matches the migrations")
		return err
	}
	const indent = 8
	var text strings.Builder
	for _, d := range all {
		kind := "advice"
		if d.Drift {
			kind = "drift"
		}
		what := []string{d.Where + ": " + d.What}
		if columns > 0 {
			what = command.Wrap(what[0], columns-indent)
		}
		fmt.Fprintf(&text, "%-*s%s\n%*stry: %s\n", indent, kind, strings.Join(what, "\n"+strings.Repeat(" ", indent)), indent, "", d.Try)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
