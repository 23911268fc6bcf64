package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// Addition is a migration that added fields to an existing resource.
type Addition struct {
	Migration string   `json:"migration"` // its timestamp: "20261121101500"
	Fields    []string `json:"fields"`    // their names
	// Fill has the values of existing rows by field, in the notation of a field
	// definition.
	Fill map[string]string `json:"fill,omitempty"`
}

// AddFields adds fields to the resource of that name, given in any case and number, and
// returns the project and the resource. Fields that exist with the same definition are
// skipped. A field that exists with another definition is a *problem.Error, and so is one
// that existing rows cannot have, such as a required field without a default. fill is the
// value of existing rows for fields without a default; "" for none. migration is the
// timestamp of the new migration.
func (p Project) AddFields(name string, words []string, fill, migration string) (Project, Resource, error) {
	r, ok := p.Resource(name)
	if !ok {
		if Snake(name) == "user" || Snake(name) == "users" {
			return p, r, &problem.Error{
				What:  "users belong to auth; edit its files directly",
				Label: "files", Where: "internal/model/user.go internal/users/ internal/migrations/",
				Try: "nexios add resource profile " + strings.Join(words, " ") + " user:ref=users:unique",
			}
		}
		return p, r, p.missing("nexios add field", name, strings.Join(words, " "))
	}
	command := "nexios add field " + r.Name
	if len(words) == 0 {
		return p, r, &problem.Error{What: "no field to add to " + r.Name, Label: "form", Where: "name:type[:modifier...]", Try: command + " subtitle:string:optional"}
	}
	there, err := r.Parsed()
	if err != nil {
		return p, r, err
	}
	changed := r
	changed.Fields = slices.Clone(r.Fields)
	added := Addition{Migration: migration}
	retry := func(err error, at int) error {
		return withTry(err, func(better string) string {
			return command + " " + strings.Join(corrected(words, at, better, func(word string) error {
				_, _, err := r.addable(word, fill)
				return err
			}), " ")
		})
	}
	for i, word := range words {
		f, filled, err := r.addable(word, fill)
		if err != nil && f.Name == "" {
			return p, r, retry(err, i)
		}
		if at := slices.IndexFunc(there, func(o Field) bool { return o.Name == f.Name }); at >= 0 {
			if there[at].String() == f.String() {
				continue
			}
			return p, r, &problem.Error{
				What:  fmt.Sprintf("%s already has a field %s with a different definition", r.Name, f.Name),
				Label: "there", Where: there[at].String(), Try: "nexios change field " + r.Name + " " + f.String(),
			}
		}
		if err != nil {
			return p, r, retry(err, i)
		}
		if filled {
			if added.Fill == nil {
				added.Fill = map[string]string{}
			}
			added.Fill[f.Name] = fill
		}
		changed.Fields = append(changed.Fields, f.String())
		if f.Type != "has" {
			added.Fields = append(added.Fields, f.Name)
		}
	}
	if len(changed.Fields) == len(r.Fields) {
		return p, r, nil
	}
	if len(added.Fields) > 0 {
		changed.Added = append(slices.Clone(r.Added), added)
	}
	if err := r.mayBecome(changed); err != nil {
		return p, r, err
	}
	now, err := p.Replace(changed)
	if err != nil {
		return p, r, withTry(asTyped(err, words), func(string) string { return "nexios add field --help" })
	}
	return now, changed, nil
}

// mayBecome rejects changes of fields that make the resource invalid.
func (r Resource) mayBecome(changed Resource) error {
	if err := changed.checkFolding(r.foldedIndexes()); err != nil {
		return err
	}
	if err := changed.checkSecrets(r.Revealing()); err != nil {
		return withTry(err, func(string) string { return "nexios help policies" })
	}
	return changed.checkCreates()
}

// Latest returns the timestamp of the project's latest migration in the record, or "" if
// there is none.
func (p Project) Latest() string {
	latest := ""
	for _, stamp := range p.Stamps() {
		latest = max(latest, stamp)
	}
	return latest
}

// Stamps returns the timestamps of all migrations in the record.
func (p Project) Stamps() []string {
	var stamps []string
	for _, r := range p.Resources {
		stamps = append(stamps, r.Migration)
		for _, a := range r.Added {
			stamps = append(stamps, a.Migration)
		}
		for _, c := range r.Changed {
			stamps = append(stamps, c.Migration)
		}
		for _, f := range r.Former {
			stamps = append(stamps, f.Migration)
		}
	}
	for _, d := range p.Dropped {
		stamps = append(stamps, d.Migration, d.Restored)
	}
	return stamps
}

// addable parses the definition of a field to add to an existing table, and reports
// whether existing rows get fill. It returns the field along with the error if existing
// rows cannot have it.
func (r Resource) addable(word, fill string) (f Field, filled bool, err error) {
	if f, err = ParseField(word); err != nil {
		return Field{}, false, err
	}
	if filled, err = r.fill(f, fill); err == nil && !filled {
		err = r.late(f)
	}
	return f, filled, err
}

// fill reports whether existing rows get value for the new field f.
func (r Resource) fill(f Field, value string) (bool, error) {
	if value == "" || f.Is("default") || f.Is("optional") || f.Column() == "" {
		return false, nil
	}
	bad := func(why, try string) (bool, error) {
		return false, &problem.Error{What: "cannot backfill " + f.Name + ": " + why, Where: r.Name + " " + f.String(), Try: try}
	}
	switch {
	case f.Is("array"), f.Relation(), f.Row().Upload:
		better := Field{Name: f.Name, Type: f.Type, Arg: f.Arg, Mods: map[string]string{"optional": ""}}
		return bad("a "+f.Type+" has no value that can be given here", better.String())
	case f.Is("unique"):
		return bad("existing rows would all get the same value, but it is unique", f.String()+":optional")
	}
	v, err := f.Value(value)
	if err == nil && f.breaks(f.Row(), v) != "" {
		err = fmt.Errorf("%q violates %s", value, f.breaks(f.Row(), v))
	}
	if err != nil {
		return bad(err.Error(), f.String()+" --backfill "+exampleOf("default", f.Row()))
	}
	return true, nil
}

// late rejects a field that the existing rows of the table cannot have.
func (r Resource) late(f Field) error {
	if f.Column() == "" || f.Is("array") {
		return nil
	}
	bad := func(why string) error {
		better := Field{Name: f.Name, Type: f.Type, Arg: f.Arg, Mods: map[string]string{"optional": ""}}
		for mod, value := range f.Mods {
			if mod != "default" {
				better.Mods[mod] = value
			}
		}
		return &problem.Error{What: "cannot add field " + f.Name + " to " + r.TableName() + ": " + why, Where: r.Name + " " + f.String(), Try: better.String()}
	}
	value, has := f.Default()
	switch {
	case has && f.Is("unique"):
		return bad("existing rows would all get the same default, but it is unique")
	case f.Is("optional"):
	case has && value.Cell == "":
		return bad("existing rows have no value for it, and the database cannot store such a default. Make it optional")
	case !has && f.Row().parse != nil && !f.Is("unique") && !f.Row().Upload:
		return bad("it is required and existing rows have no value for it. Make it optional, add default=VALUE or pass --backfill VALUE")
	case !has:
		return bad("it is required and existing rows have no value for it. Make it optional")
	}
	return nil
}

// withTry replaces the Try of an error.
func withTry(err error, command func(try string) string) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	better := *e
	better.Try = command(e.Try)
	return &better
}
