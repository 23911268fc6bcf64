package scaffold

import (
	"fmt"
	"go/scanner"
	"go/token"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// written returns what this version writes for parts, with every edit made, by
// path: the texts that a project without .nexios/base was made of.
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
			if texts[e.Path], err = applied(e.Path, text, []edit.Edit{d.settle(e)}); err != nil {
				return nil, err
			}
		}
	}
	return texts, nil
}

// restore takes the texts of parts for the base of files that have none.
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

// drift refuses a resource with a field that none of its migrations makes: it
// was added to the record by hand, and the table would never have it.
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
			continue // its owner put it elsewhere
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

// words are the names in a text of Go.
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

// applied returns text with edits made.
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
