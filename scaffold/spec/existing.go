package spec

import (
	"regexp"
	"slices"
)

// Existing describes a table that existed before its resource and that no migration of the
// resource creates.
type Existing struct {
	// Key has the columns of the primary key. The database generates a key column that is
	// not a field. A table without a key, such as a view, has none.
	Key     []string `json:"key,omitempty"`
	KeyType string   `json:"key_type,omitempty"` // column type of foreign keys to this table; "" where the Go type implies it
	Created string   `json:"created,omitempty"`  // column with the time of creation; "" for none
	Updated string   `json:"updated,omitempty"`  // column with the time of the last update; "" for none
	Vector  string   `json:"vector,omitempty"`   // tsvector column used for searching; "" for none
	// Rowless marks a table that tests cannot insert rows into: a view, or a table with
	// constraints that only the database can evaluate.
	Rowless bool              `json:"rowless,omitempty"`
	Docs    map[string]string `json:"docs,omitempty"`  // comments of the database by column; "" for the table's own
	Joins   map[string]Join   `json:"joins,omitempty"` // join tables of many fields, by field name
}

// Join is an existing table that holds only pairs of rows.
type Join struct {
	Table string `json:"table"`
	Mine  string `json:"mine"`  // column that refers to the rows of the resource
	Other string `json:"other"` // column that refers to the rows of the field
}

// Join returns the join table of a many field. It returns false where the table has the
// default name, made of both.
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

// ID returns the key column that the database generates; "" where the request provides the
// key, or where there is no key.
func (r Resource) ID() string {
	if r.Existing == nil {
		return "id"
	}
	if len(r.Existing.Key) == 1 && !r.hasColumn(r.Existing.Key[0]) {
		return r.Existing.Key[0]
	}
	return ""
}

// Keys returns the fields that form the primary key, in order; none where the resource has
// an ID.
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

// KeyType returns the column type of foreign keys to this resource; "" where the Go type
// implies it.
func (r Resource) KeyType() string {
	if r.Existing == nil {
		return ""
	}
	return r.Existing.KeyType
}

// Created returns the column with a row's time of creation; "" for none.
func (r Resource) Created() string {
	if r.Existing != nil {
		return r.Existing.Created
	}
	return "created_at"
}

// Updated returns the column with a row's time of last update; "" for none.
func (r Resource) Updated() string {
	if r.Existing != nil {
		return r.Existing.Updated
	}
	return "updated_at"
}

// hasColumn reports whether one of the fields is stored in the column.
func (r Resource) hasColumn(column string) bool {
	fields, err := r.Parsed()
	return err == nil && slices.ContainsFunc(fields, func(f Field) bool { return f.Column() == column })
}

// ownColumns returns the columns that are not fields.
func (r Resource) ownColumns() []string {
	if r.Existing == nil {
		return []string{"id", "created_at", "updated_at", "deleted_at"}
	}
	return slices.DeleteFunc([]string{r.ID(), r.Existing.Created, r.Existing.Updated}, func(s string) bool { return s == "" })
}

// validIdentifier reports whether name can be the name of a column or a table unchanged.
func validIdentifier(name string) bool { return exactTable.MatchString(name) && len(name) <= 63 }

// keyType matches column types.
var keyType = regexp.MustCompile(`^[A-Za-z0-9_(), ]*$`)

// check rejects values that adopt would not have recorded.
func (e *Existing) check() error {
	if e == nil {
		return nil
	}
	if !keyType.MatchString(e.KeyType) {
		return unexpected("existing", e.KeyType)
	}
	names := append([]string{e.Created, e.Updated, e.Vector}, e.Key...)
	for column := range e.Docs {
		names = append(names, column)
	}
	for field, j := range e.Joins {
		if Snake(field) != field {
			return unexpected("existing", field)
		}
		names = append(names, j.Table, j.Mine, j.Other)
	}
	for _, name := range names {
		if name != "" && !validIdentifier(name) {
			return unexpected("existing", name)
		}
	}
	return nil
}

// Made returns the tables that the project's own migrations create.
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
		for _, f := range fields { // many fields added since
			if _, there := r.Existing.Joins[f.Name]; f.Type == "many" && !there {
				tables = append(tables, r.JoinTable(f))
			}
		}
	}
	return tables
}

// Adopt returns the project with resources whose tables exist already. They may refer to
// each other. It returns a *problem.Error for a resource that does not fit, and its index
// in the list.
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
		if err := all.checkNeeds(r); err != nil {
			return p, i, err
		}
	}
	return all, 0, nil
}
