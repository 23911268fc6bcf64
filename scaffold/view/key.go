package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// Key is one part of the key of a row: its only one, or a column of several.
type Key struct {
	Name string // of the model's field and the input's: "ID"
	Type string
	Tag  string // of the input's field
}

// GoName is the Go name of a column.
func GoName(column string) string { return exported(column) }

// key is the parts of the resource's key; none where rows have none.
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

// keys are the fields that make the key together.
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

// vector is the quoted column of a tsvector that is searched; "" for none.
func (w resource) vector() string {
	if w.r.Existing == nil || w.r.Existing.Vector == "" {
		return ""
	}
	return quoted(w.r.Existing.Vector)
}

// keyPath is the end of the path of one row: "/:id".
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

// keyed is the Go expression of the key of which from has the parts.
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

// isKey reports whether the field is a part of its row's key.
func (w resource) isKey(f field) bool {
	return slices.ContainsFunc(w.r.Keys(), func(key spec.Field) bool { return key.Name == f.Name })
}

// chosenKey is the field that is the key of a table whose rows are given theirs by
// who makes them.
func chosenKey(r spec.Resource) (field, bool) {
	keys := r.Keys()
	if len(keys) != 1 {
		return field{}, false
	}
	f := keys[0]
	return field{Field: f, row: f.Row(), samples: f.Samples(spec.Rows + 1)}, true
}

// keyName is the Go name of the field that is a table's key.
func keyName(r spec.Resource) string {
	if f, ok := chosenKey(r); ok {
		return exported(f.Column())
	}
	return "ID"
}

// keyType is the Go type of the primary key of a table.
func keyType(r spec.Resource) string {
	if f, ok := chosenKey(r); ok {
		return f.goType()
	}
	if r.UUID {
		return "uuid.UUID"
	}
	return "int64"
}

// keyImports are what keyType needs.
func keyImports(r spec.Resource) []string {
	if f, ok := chosenKey(r); ok {
		return f.goImports()
	}
	if r.UUID {
		return []string{uuidImport}
	}
	return nil
}

// keyRules are the validation rules of a key.
func keyRules(r spec.Resource) []string {
	if f, ok := chosenKey(r); ok {
		return f.rules()
	}
	if r.UUID {
		return nil
	}
	return []string{"min=1"}
}

// existingKey are the columns of the key of a table that was there before, as a
// migration refers to them.
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
		goType, how := "int64", "" // of a ref: what it holds does not matter here
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

// stored is the type that makes the column of a key in a migration.
func (f field) stored() string {
	switch goType := f.goType(); goType {
	case "int", "int64", "string":
		return goType
	}
	return "string"
}
