package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Key is one column of the key of a row.
type Key struct {
	Name string // of the field in the model and the input: "ID"
	Type string
	Tag  string // of the field in the input
}

// GoName returns the Go name of a column.
func GoName(column string) string { return exported(column) }

// key returns the columns of the resource's key; none if rows have no key.
func (w resource) key() []Key {
	if w.r.ID() != "" {
		words := []string{"uri", "id"}
		if !w.r.UUID {
			words = append(words, "binding", "min=1")
		}
		return []Key{{"ID", keyType(w.r), tag(words...)}}
	}
	var parts []Key
	for _, f := range w.keys() {
		rules := f.rules()
		if f.Type != "ref" && f.row.Filters == "range" {
			rules = nil
		}
		parts = append(parts, Key{exported(f.Column()), f.goType(), tag("uri", f.Column(), "binding", strings.Join(rules, ","))})
	}
	return parts
}

// keys returns the fields that form the key.
func (w resource) keys() []field {
	var keys []field
	for _, key := range w.r.Keys() {
		for _, f := range w.fields {
			if f.Name == key.Name {
				keys = append(keys, f)
			}
		}
	}
	return keys
}

// vector returns the quoted tsvector column used for searching; "" for none.
func (w resource) vector() string {
	if w.r.Existing == nil || w.r.Existing.Vector == "" {
		return ""
	}
	return quoted(w.r.Existing.Vector)
}

// keyPath returns the end of the path of one row: "/:id".
func (w resource) keyPath() string {
	if w.r.ID() != "" {
		return "/:id"
	}
	path := ""
	for _, f := range w.keys() {
		path += "/:" + f.Column()
	}
	return path
}

// keyed returns the Go expression of the key, taking its parts from from.
func (w resource) keyed(from string) string {
	var parts []string
	for _, key := range w.key() {
		parts = append(parts, from+"."+key.Name)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "db.Key{" + strings.Join(parts, ", ") + "}"
}

// isKey reports whether the field is part of the key.
func (w resource) isKey(f field) bool {
	return slices.ContainsFunc(w.r.Keys(), func(key spec.Field) bool { return key.Name == f.Name })
}

// chosenKey returns the field that is the key of a table whose keys are chosen by the
// requests that create its rows.
func chosenKey(r spec.Resource) (field, bool) {
	keys := r.Keys()
	if len(keys) != 1 {
		return field{}, false
	}
	f := keys[0]
	return field{Field: f, row: f.Row(), samples: f.Samples(spec.Rows + 1)}, true
}

// keyName returns the Go name of the field that is a table's key.
func keyName(r spec.Resource) string {
	if f, ok := chosenKey(r); ok {
		return exported(f.Column())
	}
	return "ID"
}

// keyType returns the Go type of the primary key of a table.
func keyType(r spec.Resource) string {
	if f, ok := chosenKey(r); ok {
		return f.goType()
	}
	if r.UUID {
		return "uuid.UUID"
	}
	return "int64"
}

// keyImports returns the imports of keyType.
func keyImports(r spec.Resource) []string {
	if f, ok := chosenKey(r); ok {
		return f.goImports()
	}
	if r.UUID {
		return []string{uuidImport}
	}
	return nil
}

// keyRules returns the validation rules of a key.
func keyRules(r spec.Resource) []string {
	if f, ok := chosenKey(r); ok {
		return f.rules()
	}
	if r.UUID {
		return nil
	}
	return []string{"min=1"}
}

// existingKey returns the key columns of an existing table, as a migration refers to them.
func (w resource) existingKey(r spec.Resource) []Line {
	exact := ""
	if r.KeyType() != "" {
		exact = ";type:" + r.KeyType()
	}
	if id := r.ID(); id != "" {
		if r.UUID {
			return []Line{{Name: "ID", Type: "string", Tag: tag("gorm", "column:"+id+cmp.Or(exact, ";type:uuid")+";primaryKey")}}
		}
		return []Line{{Name: "ID", Type: "int64", Tag: tag("gorm", "column:"+id+exact+";primaryKey")}}
	}
	var lines []Line
	for _, key := range r.Keys() {
		f := field{Field: key, row: key.Row()}
		goType, how := "int64", "" // for a ref, which it refers to does not matter here
		if !f.Relation() {
			goType, how = f.stored(), f.ColumnTag()
		}
		if exact != "" && len(r.Existing.Key) == 1 {
			how = exact[1:]
		}
		words := slices.DeleteFunc([]string{columnName(f.Column()), how, "primaryKey", "autoIncrement:false"}, func(s string) bool { return s == "" })
		lines = append(lines, Line{Name: exported(f.Column()), Type: goType, Tag: tag("gorm", strings.Join(words, ";"))})
	}
	return lines
}

// stored returns the type of a key column in a migration.
func (f field) stored() string {
	switch goType := f.goType(); goType {
	case "int", "int64", "string":
		return goType
	}
	return "string"
}
