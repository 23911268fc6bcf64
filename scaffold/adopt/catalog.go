// Package adopt makes resources of tables that are there already. It is pure: a
// catalog in, resources and a report out; who reads the catalog of a database is
// a command's business.
package adopt

// Catalog is what a schema of a database holds.
type Catalog struct {
	Tables []Table
	// Build are the statements that make the schema again on an empty database.
	Build []string
	// Drop are the statements that take Build back.
	Drop []string
	// Unbuilt is what Build does not make, with the reason.
	Unbuilt []string
}

// Table is a table or a view.
type Table struct {
	Name, Comment string
	View          bool
	Skip          string // why it cannot be served; "" for nothing in the way
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
	Size, Scale   int    // 0 for none
	Array         bool
	Null          bool
	Default       string   // an expression; "" for none
	Always        bool     // the database makes the value, and takes none: GENERATED ALWAYS AS
	Identity      bool     // the database counts
	Enum          []string // the values of an enum type, in their order
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
