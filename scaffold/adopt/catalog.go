// Package adopt makes resources of tables that are there already. It is pure: a
// catalog in, resources and a report out; who reads the catalog of a database is
// a command's business.
package adopt

import (
	"slices"
	"strings"
)

// Catalog is what a schema of a database holds.
type Catalog struct {
	Tables []Table
	// Build are the statements that make the schema again on an empty database.
	Build []string
	// Drop are the statements that take Build back.
	Drop []string
	// Setting is what DATABASE_URL must end in for a program to find the tables; ""
	// for nothing.
	Setting string
	// Unbuilt is what Build does not make, with the reason.
	Unbuilt []string
}

// Table is a table or a view.
type Table struct {
	Name, Comment string
	View          bool
	Skip          string // why it cannot be served; "" for nothing in the way
	ReadOnly      bool   // the user of the database may not write to it
	Columns       []Column
	Key           []string // columns of the primary key, in its order
	Refs          []Ref
	Uniques       [][]string // columns of unique constraints and indexes
	Indexed       []string   // columns that an index begins with
	Checks        []string   // what the database calls them, "qty > 0"
}

// Column is a column of a table.
type Column struct {
	Name, Comment string
	Type          string // without size, as the database spells it: "character varying"
	Exact         string // as another column must be declared to refer to it; "" where Type says it
	Size, Scale   int    // 0 for none
	Array         bool
	Null          bool
	Default       string   // an expression; "" for none
	Always        bool     // the database makes the value, and takes none: GENERATED ALWAYS AS
	Identity      bool     // the database counts
	Enum          []string // the values of an enum type, in their order
	Hidden        bool     // the user of the database may not read it
	Domain        string   // the domain that Type is the type of
	Checks        []string // of the domain, about VALUE
}

// Ref is a foreign key.
type Ref struct {
	Columns  []string
	Table    string
	Targets  []string
	OnDelete string // "cascade", "null", "restrict" or "" for what is left to the database
}

func (t Table) column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// holds reports whether the table has all of some columns.
func (t Table) holds(columns []string) bool {
	return len(columns) > 0 && !slices.ContainsFunc(columns, func(name string) bool { _, ok := t.column(name); return !ok })
}

// folded reports whether the column keeps the folded form of another, as the
// project's own migrations make it.
func (c Column) folded(t Table) bool {
	of, ok := strings.CutSuffix(c.Name, "_folded")
	_, there := t.column(of)
	return ok && there && c.Size == 765
}
