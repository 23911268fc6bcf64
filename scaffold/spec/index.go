package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Index is an index over several fields, in order: "author,created_at" or
// "author,slug:unique".
type Index struct {
	Fields []string
	Unique bool
}

// ParseIndex parses an index in its canonical form.
func ParseIndex(word string) Index {
	fields, _, unique := strings.Cut(word, ":unique")
	return Index{Fields: strings.Split(fields, ","), Unique: unique}
}

// String returns the index in its canonical form.
func (x Index) String() string {
	return strings.Join(x.Fields, ",") + map[bool]string{true: ":unique"}[x.Unique]
}

func (x Index) renamed(old, now string) Index {
	x.Fields = slices.Clone(x.Fields)
	for i, name := range x.Fields {
		if name == old {
			x.Fields[i] = now
		}
	}
	return x
}

// Columns returns the columns of the index in the table of r.
func (x Index) Columns(r Resource) []string {
	columns := slices.Clone(x.Fields)
	for i, name := range x.Fields {
		if at := fieldIndex(r.Fields, name); at >= 0 {
			if f, err := readField(r.Fields[at]); err == nil {
				columns[i] = f.Column()
			}
		}
	}
	return columns
}

// AddIndex adds an index over several fields of a resource, and returns the project and
// the resource. migration is the timestamp of the migration.
func (p Project) AddIndex(name, fields string, unique bool, migration string) (Project, Resource, error) {
	const command = "nexios add index"
	r, err := p.resourceOf(command, name, fields)
	if err != nil {
		return p, r, err
	}
	x := Index{Fields: List(fields), Unique: unique}
	for i, f := range x.Fields {
		x.Fields[i] = r.indexable(f)
	}
	word := x.String()
	if slices.Contains(r.Indexes, word) {
		return p, r, nil
	}
	if err := r.checkIndex(word, command+" "+r.Name); err != nil {
		return p, r, err
	}
	for _, there := range r.Indexes {
		if slices.Equal(ParseIndex(there).Fields, x.Fields) {
			return p.changeTable(command, r, Change{Migration: migration, Indexes: []Replaced{{From: there, To: word}}})
		}
	}
	return p.changeTable(command, r, Change{Migration: migration, Indexes: []Replaced{{To: word}}})
}

// RemoveIndex removes an index over several fields of a resource, and returns the project
// and the resource. migration is the timestamp of the migration.
func (p Project) RemoveIndex(name, fields, migration string) (Project, Resource, error) {
	const command = "nexios remove index"
	r, err := p.resourceOf(command, name, fields)
	if err != nil {
		return p, r, err
	}
	list := List(fields)
	for i, f := range list {
		list[i] = r.indexable(f)
	}
	for _, there := range r.Indexes {
		if slices.Equal(ParseIndex(there).Fields, list) {
			return p.changeTable(command, r, Change{Migration: migration, Indexes: []Replaced{{From: there}}})
		}
	}
	e := &problem.Error{What: fmt.Sprintf("%s has no index of %s", r.Name, strings.Join(list, " and ")), Label: "indexes", Where: strings.Join(r.Indexes, " "), Try: "nexios change field " + r.Name + " --help"}
	if len(r.Indexes) > 0 {
		e.Try = command + " " + r.Name + " " + strings.Join(ParseIndex(r.Indexes[0]).Fields, ",")
	}
	return p, r, e
}

// indexable returns the name that an index uses for a field or column given in any case.
func (r Resource) indexable(name string) string {
	snake := Snake(name)
	if at := fieldIndex(r.Fields, snake); at < 0 {
		if at := fieldIndex(r.Fields, strings.TrimSuffix(snake, "_id")); at >= 0 {
			return fieldName(r.Fields[at])
		}
	}
	return snake
}

// checkIndex rejects an index that the table cannot have.
func (r Resource) checkIndex(word, command string) error {
	x := ParseIndex(word)
	fields, err := r.Parsed()
	if err != nil {
		return err
	}
	var can []string
	for _, f := range fields {
		if f.Column() != "" && !f.Is("array") && f.Length() <= maxIndexed && f.Type != "json" && f.Type != "bytes" {
			can = append(can, f.Name)
		}
	}
	if r.Owner {
		can = append(can, "user_id")
	}
	can = append(can, "created_at", "updated_at")
	bad := func(what string) error {
		return &problem.Error{What: what, Label: "fields", Where: strings.Join(can, " "), Try: command + " " + strings.Join(can[:min(2, len(can))], ",")}
	}
	if len(x.Fields) < 2 {
		if len(x.Fields) == 1 && fieldIndex(r.Fields, x.Fields[0]) >= 0 {
			return &problem.Error{What: "an index on one field is a modifier", Where: r.Name + " " + x.Fields[0], Try: "nexios change field " + r.Name + " " + x.Fields[0] + " " + map[bool]string{true: "unique", false: "index"}[x.Unique]}
		}
		return bad("an index needs two fields or more")
	}
	if len(x.Fields) > 8 {
		return bad("an index has at most 8 fields")
	}
	width := 0
	for i, name := range x.Fields {
		if !slices.Contains(can, name) {
			return bad(fmt.Sprintf("%s has no field %q that can be indexed", r.Name, clip(name)))
		}
		if slices.Contains(x.Fields[:i], name) {
			return bad(name + " is in the index twice")
		}
		if at := fieldIndex(r.Fields, name); at >= 0 {
			width += fields[at].Length()
		}
	}
	if width > maxIndexed {
		return bad(fmt.Sprintf("the fields of an index have at most %d characters together (MySQL cannot index more), not %d; max=N makes one shorter", maxIndexed, width))
	}
	return nil
}

// foldedIndexes returns the unique indexes over several fields that include a
// case-insensitive field.
func (r Resource) foldedIndexes() (words []string) {
	fields, err := r.Parsed()
	if err != nil {
		return nil
	}
	for _, word := range r.Indexes {
		x := ParseIndex(word)
		if x.Unique && slices.ContainsFunc(fields, func(f Field) bool { return f.Folded() && slices.Contains(x.Fields, f.Name) }) {
			words = append(words, word)
		}
	}
	return words
}

// checkFolding rejects a new index that would treat values as different that filters treat
// as equal, since indexes compare characters. before lists the existing ones.
func (r Resource) checkFolding(before []string) error {
	words := r.foldedIndexes()
	if len(words) <= len(before) {
		return nil
	}
	x := ParseIndex(words[len(words)-1])
	at := slices.IndexFunc(x.Fields, func(name string) bool {
		i := fieldIndex(r.Fields, name)
		if i < 0 {
			return false
		}
		f, err := ParseField(r.Fields[i])
		return err == nil && f.Folded()
	})
	name := x.Fields[at]
	return &problem.Error{
		What:  fmt.Sprintf("%s cannot be unique: %s ignores case, and an index on several fields would not", strings.Join(x.Fields, " and "), name),
		Where: r.Name + " " + r.Fields[fieldIndex(r.Fields, name)],
		Try:   name + " without nocase, or unique=nocase by itself (with --organisation among the rows of one, with --owner of a user)",
	}
}
