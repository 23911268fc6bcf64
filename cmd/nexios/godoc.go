package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/templates"
)

// packageDocs returns the go doc text of the runtime: a section for each package and
// each of its exported names.
func packageDocs() ([]string, error) {
	catalog, err := templates.Catalog()
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	packages := map[string][]*ast.File{}
	for name, text := range catalog.Runtime {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		packages[path.Dir(name)] = append(packages[path.Dir(name)], file)
	}
	var sections []string
	for dir, parsed := range packages {
		p, err := doc.NewFromFiles(files, parsed, path.Join("github.com/nexios-go/nexios/runtime", dir))
		if err != nil {
			return nil, err
		}
		sections = append(sections, fmt.Sprintf("# go doc %s\npackage %s // import %q\n\n%s", p.Name, p.Name, p.ImportPath, p.Doc))
		for name, decl := range exported(p) {
			var code strings.Builder
			if err := format.Node(&code, files, decl.node); err != nil {
				return nil, err
			}
			sections = append(sections, fmt.Sprintf("# go doc %s.%s\n%s\n\n%s", p.Name, name, code.String(), decl.text))
		}
	}
	slices.Sort(sections)
	return sections, nil
}

// documented is a declaration and its documentation.
type documented struct {
	node ast.Node
	text string
}

// exported returns the exported declarations of a package by name.
func exported(p *doc.Package) map[string]documented {
	all := map[string]documented{}
	funcs := func(of string, list []*doc.Func) {
		for _, f := range list {
			all[of+f.Name] = documented{f.Decl, f.Doc}
		}
	}
	values := func(list ...*doc.Value) {
		for _, v := range list {
			all[strings.Join(v.Names, ", ")] = documented{v.Decl, v.Doc}
		}
	}
	funcs("", p.Funcs)
	values(append(p.Consts, p.Vars...)...)
	for _, t := range p.Types {
		all[t.Name] = documented{t.Decl, t.Doc}
		funcs("", t.Funcs)
		funcs(t.Name+".", t.Methods)
		values(append(t.Consts, t.Vars...)...)
	}
	return all
}
