package spec

import (
	"regexp"
	"slices"
)

// Existing is what is known of a table that was there before its resource, and
// that no migration of the resource makes.
type Existing struct {
	// Key are the columns of the primary key. One that is no field is given by
	// the database; a table without a key, such as a view, has none.
	Key     []string `json:"key,omitempty"`
	KeyType string   `json:"key_type,omitempty"` // how a column is declared that refers to the key; "" where Go's type says it
	Created string   `json:"created,omitempty"`  // the column that says when a row was made; "" for none
	Updated string   `json:"updated,omitempty"`  // the column that says when it was last changed; "" for none
	Vector  string   `json:"vector,omitempty"`   // the tsvector that is searched; "" for none
	// Rowless is of a table of which tests can make no row: a view, or one whose
	// rows must obey what only the database understands.
	Rowless bool              `json:"rowless,omitempty"`
	Docs    map[string]string `json:"docs,omitempty"`  // the database's comments by column; "" for the table's own
	Joins   map[string]Join   `json:"joins,omitempty"` // the tables of many fields, by the field's name
}

// Join is a table that was there before and holds nothing but pairs of rows.
type Join struct {
	Table string `json:"table"`
	Mine  string `json:"mine"`  // the column that refers to the resource's rows
	Other string `json:"other"` // the one that refers to the rows of the field
}

// Join is the table between r and the rows of its many field; false where it is
// named after both.
func (r Resource) Join(f Field) (Join, bool) {
	if j, ok := r.Joins[f.Name]; ok {
		return j, true
	}
	if r.Existing == nil {
		return Join{}, false
	}
	j, ok := r.Existing.Joins[f.Name]
	return j, ok
}

// ID is the column of the key that a new row gets by itself; "" where the
// request gives it, and where there is none.
func (r Resource) ID() string {
	if r.Existing == nil {
		return "id"
	}
	if len(r.Existing.Key) == 1 && !r.has(r.Existing.Key[0]) {
		return r.Existing.Key[0]
	}
	return ""
}

// Keys are the fields that make the key of a row together, in its order; none
// where it has an ID.
func (r Resource) Keys() []Field {
	if r.Existing == nil || r.ID() != "" {
		return nil
	}
	fields, err := r.Parsed()
	if err != nil {
		return nil
	}
	var keys []Field
	for _, column := range r.Existing.Key {
		if at := slices.IndexFunc(fields, func(f Field) bool { return f.Column() == column }); at >= 0 {
			keys = append(keys, fields[at])
		}
	}
	return keys
}

// KeyType is how a column is declared that refers to the resource's key; "" where
// Go's type says it.
func (r Resource) KeyType() string {
	if r.Existing == nil {
		return ""
	}
	return r.Existing.KeyType
}

// Created and Updated are the columns of a row's times; "" for none.
func (r Resource) Created() string {
	if r.Existing != nil {
		return r.Existing.Created
	}
	return "created_at"
}

// Updated: see Created.
func (r Resource) Updated() string {
	if r.Existing != nil {
		return r.Existing.Updated
	}
	return "updated_at"
}

// has reports whether a field is the column.
func (r Resource) has(column string) bool {
	fields, err := r.Parsed()
	return err == nil && slices.ContainsFunc(fields, func(f Field) bool { return f.Column() == column })
}

// own are the columns that are no fields.
func (r Resource) own() []string {
	if r.Existing == nil {
		return []string{"id", "created_at", "updated_at", "deleted_at"}
	}
	return slices.DeleteFunc([]string{r.ID(), r.Existing.Created, r.Existing.Updated}, func(s string) bool { return s == "" })
}

// exactly reports whether a name can be a column's or a table's as it is.
func exactly(name string) bool { return exactTable.MatchString(name) && len(name) <= 63 }

// keyType is what the type of a column is written with.
var keyType = regexp.MustCompile(`^[A-Za-z0-9_(), ]*$`)

// check refuses what adopting would not have recorded.
func (e *Existing) check() error {
	if e == nil {
		return nil
	}
	if !keyType.MatchString(e.KeyType) {
		return unwritten("existing", e.KeyType)
	}
	names := append([]string{e.Created, e.Updated, e.Vector}, e.Key...)
	for column := range e.Docs {
		names = append(names, column)
	}
	for field, j := range e.Joins {
		if Snake(field) != field {
			return unwritten("existing", field)
		}
		names = append(names, j.Table, j.Mine, j.Other)
	}
	for _, name := range names {
		if name != "" && !exactly(name) {
			return unwritten("existing", name)
		}
	}
	return nil
}

// Made are the tables that the project's own migrations make.
func (p Project) Made() []string {
	var tables []string
	for _, f := range p.Features {
		tables = append(tables, f.Tables...)
	}
	for _, r := range p.Resources {
		if r.Existing == nil {
			tables = append(tables, r.tables()...)
			continue
		}
		fields, err := r.Parsed()
		if err != nil {
			continue
		}
		for _, f := range fields { // many fields that it got since
			if _, there := r.Existing.Joins[f.Name]; f.Type == "many" && !there {
				tables = append(tables, r.JoinTable(f))
			}
		}
	}
	return tables
}

// Adopt returns the project with resources whose tables are there already. They
// may refer to each other. One that does not fit is a *problem.Error, with its place in
// the list.
func (p Project) Adopt(list []Resource) (_ Project, at int, err error) {
	uses := p.uses()
	all := p
	all.Resources = slices.Clone(p.Resources)
	for i, r := range list {
		if list[i], err = ParseResource(r); err != nil {
			return p, i, err
		}
		if err := uses.add(list[i]); err != nil {
			return p, i, err
		}
		all.Resources = append(all.Resources, list[i])
	}
	for i, r := range list {
		if err := all.whole(r); err != nil {
			return p, i, err
		}
	}
	return all, 0, nil
}
