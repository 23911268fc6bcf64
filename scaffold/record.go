package scaffold

import (
	"fmt"
	"go/scanner"
	"go/token"
	"reflect"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// written returns the files generated for parts, including all edits, by path: the bases
// of a project without .nexios/base.
func (d *draft) written(parts []part) (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, p := range parts {
		files, err := p.render()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.key, err)
		}
		for _, file := range files {
			texts[file.Path] = file.Data
		}
	}
	for _, p := range parts {
		for _, e := range p.edits {
			text, ok := texts[e.Path]
			if !ok {
				continue
			}
			var err error
			if texts[e.Path], err = applied(e.Path, text, []edit.Edit{d.resolve(e)}); err != nil {
				return nil, err
			}
		}
	}
	return texts, nil
}

// restore uses the texts of parts as the base of files without one.
func (d *draft) restore(parts []part) {
	var texts map[string][]byte
	d.lost = func(path string) []byte {
		if texts == nil {
			var err error
			if texts, err = d.written(parts); err != nil {
				texts, d.err = map[string][]byte{}, err
			}
		}
		return texts[path]
	}
}

// edited rejects manual changes of the record that affect tables, since no migration makes
// them. All other changes are applied. Older projects have no copy to compare with; see
// drift.
func (d *draft) edited(p spec.Project) error {
	was, err := spec.Parse(d.read(baseDir + SpecFile))
	if err != nil || reflect.DeepEqual(was, p) {
		return nil
	}
	of := func(p spec.Project, name string) int {
		return slices.IndexFunc(p.Resources, func(r spec.Resource) bool { return r.Name == name })
	}
	for _, r := range was.Resources {
		at := of(p, r.Name)
		if at < 0 {
			if r.Migration != "" && !p.Gone(r.TableName()) {
				return manualChange("lacks the resource "+r.Name+", whose table stays", "restore it from that file, then nexios remove resource "+r.Name)
			}
			continue
		}
		before, err := view.Of(was, r)
		if err != nil {
			return err
		}
		now, err := view.Of(p, p.Resources[at])
		if err != nil {
			return err
		}
		for _, m := range now.Migrations {
			if slices.ContainsFunc(before.Migrations, func(o view.Migration) bool { return o.ID == m.ID && !reflect.DeepEqual(o, m) }) {
				return otherTable(r, p.Resources[at])
			}
		}
	}
	for _, r := range p.Resources {
		if r.Migration == "" && r.Existing == nil && of(was, r.Name) < 0 {
			return manualChange("has the resource "+r.Name+", which no migration makes", "take it out of "+SpecFile+", then "+r.Command())
		}
	}
	return nil
}

// otherTable describes a manual change of a resource, and suggests the command for it.
func otherTable(was, is spec.Resource) error {
	lacks := func(words, in []string) []string {
		return slices.DeleteFunc(slices.Clone(words), func(word string) bool { return slices.Contains(in, word) })
	}
	cut := func(word string) (name, rest string) {
		name, rest, _ = strings.Cut(word, ":")
		return name, rest
	}
	gone, come := lacks(was.Fields, is.Fields), lacks(is.Fields, was.Fields)
	back := func(word string) string { return "put " + word + " back into " + SpecFile + ", then nexios " }
	if len(come) > 0 {
		word := come[0]
		name, rest := cut(word)
		for _, old := range gone {
			switch before, like := cut(old); {
			case before == name:
				return manualChange("has "+word+" of "+is.Name+", which its table has as "+old, back(old)+"change field "+is.Name+" "+word)
			case like == rest && len(gone) == len(come):
				return manualChange("has "+name+" in the place of "+before+" of "+is.Name+", which no migration renames", back(old)+"rename field "+is.Name+" "+before+" "+name)
			}
		}
		return manualChange("has the field "+name+" of "+is.Name+", which no migration makes", "take it out of "+SpecFile+", then nexios add field "+is.Name+" "+word)
	}
	if len(gone) > 0 {
		name, _ := cut(gone[0])
		return manualChange("lacks the field "+name+" of "+is.Name+", which its table has", back(gone[0])+"remove field "+is.Name+" "+name)
	}
	flag := func(word string) string {
		x := spec.ParseIndex(word)
		return is.Name + " " + strings.Join(x.Fields, ",") + map[bool]string{true: " --unique"}[x.Unique]
	}
	if come := lacks(is.Indexes, was.Indexes); len(come) > 0 {
		word := come[0]
		return manualChange("has the index "+word+" of "+is.Name+", which no migration makes", "take it out of "+SpecFile+", then nexios add index "+flag(word))
	}
	if gone := lacks(was.Indexes, is.Indexes); len(gone) > 0 {
		word := gone[0]
		return manualChange("lacks the index "+word+" of "+is.Name+", which its table has", back(word)+"remove index "+is.Name+" "+strings.Join(spec.ParseIndex(word).Fields, ","))
	}
	return manualChange("has other options of "+is.Name+" than its table was made with", "restore them from that file")
}

func manualChange(what, try string) error {
	return &problem.Error{What: SpecFile + " was edited: it " + what, Label: "written", Where: baseDir + SpecFile, Try: try}
}

// drift rejects a resource with a field that none of its migrations creates: it was added
// to the record manually, and the table would never have it.
func (d *draft) drift(p spec.Project, r spec.Resource) error {
	v, err := view.Of(p, r)
	if err != nil {
		return err
	}
	for _, m := range v.Migrations {
		name := history + m.File + ".go"
		text := d.read(baseDir + name)
		if text == nil {
			text = d.read(name)
		}
		if text == nil {
			continue // the developer moved it
		}
		there := words(text)
		for _, table := range m.Types {
			for _, column := range table.Fields {
				if !there[column.Name] {
					return byHand(r, column.Name, name)
				}
			}
		}
	}
	return nil
}

func byHand(r spec.Resource, column, migration string) error {
	at := slices.IndexFunc(r.Fields, func(word string) bool {
		name, _, _ := strings.Cut(word, ":")
		name = strings.ReplaceAll(name, "_", "")
		return strings.EqualFold(name, column) || strings.EqualFold(name+"id", column)
	})
	field, try := column, "git checkout "+SpecFile
	if at >= 0 {
		field, _, _ = strings.Cut(r.Fields[at], ":")
		try = "take it out of " + SpecFile + ", then nexios add field " + r.Name + " " + r.Fields[at]
	}
	return &problem.Error{
		What:  fmt.Sprintf("%s has the field %s of %s, which no migration makes", SpecFile, field, r.Name),
		Label: "migration", Where: migration, Try: try,
	}
}

// words returns the identifiers of a Go file.
func words(text []byte) map[string]bool {
	found := map[string]bool{}
	var scan scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(text))
	scan.Init(file, text, func(token.Position, string) {}, 0)
	for {
		_, tok, literal := scan.Scan()
		if tok == token.EOF {
			return found
		}
		if tok == token.IDENT {
			found[literal] = true
		}
	}
}

// applied returns text with edits applied.
func applied(name string, text []byte, edits []edit.Edit) ([]byte, error) {
	for _, e := range edits {
		edited, err := e.Apply(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text = edited
	}
	return text, nil
}
