// Package adopt makes resources of existing tables. It is pure: it takes a catalog and
// returns resources and a report; the command reads the catalog of a database.
package adopt

import (
	"slices"
	"strings"
)

// Catalog describes a schema of a database.
type Catalog struct {
	Tables []Table
	// Build are the statements that create the schema in an empty database.
	Build []string
	// Drop are the statements that revert Build.
	Drop []string
	// Setting is what DATABASE_URL must end in for a program to find the tables; "" for
	// nothing.
	Setting string
	// Unbuilt lists what Build does not create, with reasons.
	Unbuilt []string
}

// Table is a table or a view.
type Table struct {
	Name, Comment string
	View          bool
	Skip          string // why it cannot be served; "" if it can
	ReadOnly      bool   // the database user may not write to it
	Columns       []Column
	Key           []string // columns of the primary key, in order
	Refs          []Ref
	Uniques       [][]string // columns of unique constraints and indexes
	Indexed       []string   // first columns of indexes
	Checks        []string   // as the database writes them, "qty > 0"
}

// Column is a column of a table.
type Column struct {
	Name, Comment string
	Type          string // without size, as the database writes it: "character varying"
	Exact         string // type of columns that refer to it; "" if Type is sufficient
	Size, Scale   int    // 0 for none
	Array         bool
	Null          bool
	Default       string   // an expression; "" for none
	Always        bool     // the database generates the value and accepts no other: GENERATED ALWAYS AS
	Identity      bool     // the database generates consecutive numbers
	Enum          []string // the values of an enum type, in order
	Hidden        bool     // the database user may not read it
	Domain        string   // the domain whose base type is Type
	Checks        []string // of the domain, about VALUE
}

// Ref is a foreign key.
type Ref struct {
	Columns  []string
	Table    string
	Targets  []string
	OnDelete string // "cascade", "null", "restrict" or "" for the database's default
}

func (t Table) column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// holds reports whether the table has all of the columns, and there are any.
func (t Table) holds(columns []string) bool {
	return len(columns) > 0 && !slices.ContainsFunc(columns, func(name string) bool { _, ok := t.column(name); return !ok })
}

// folded reports whether the column is a folded copy of another, as the project's own
// migrations create it.
func (c Column) folded(t Table) bool {
	of, ok := strings.CutSuffix(c.Name, "_folded")
	_, there := t.column(of)
	return ok && there && c.Size == 765
}
