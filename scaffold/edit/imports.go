package edit

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Import imports a package, under a name unless that is empty. It adds the import to the
// group of its kind: the standard library, other modules, and the modules of own, in this
// order. A kind without a group gets a new one, between blank lines.
func Import(src []byte, pkg, name string, own ...string) ([]byte, error) {
	line := importLine(pkg, name)
	missing := &Missing{Line: "import " + line}
	return change(src, missing, func(s *source) ([]splice, error) {
		if s.imported(pkg, name) != nil {
			return nil, nil
		}
		clause := s.lineEnd(s.at(s.tree.Name.End()))
		alone := splice{clause, clause, "\n\nimport " + line}
		block := s.importBlock()
		switch {
		case block == nil, block.Lparen.IsValid() && s.lineEnd(s.at(block.Lparen)) > s.at(block.Rparen):
			return []splice{alone}, nil
		case block.Lparen.IsValid():
			return s.importInto(block, pkg, line, own), nil
		}
		// A single import becomes a block; its trailing comment stays on its line.
		spec := block.Specs[0].(*ast.ImportSpec)
		start, end := s.at(spec.Pos()), s.lineEnd(s.at(spec.End()))
		first, there := "\n\t"+line, kind(pathOf(spec), own)
		added := kind(pkg, own)
		open := "(\n\t"
		switch {
		case added < there:
			return []splice{{start, start, "(" + first + "\n\n\t"}, {end, end, "\n)"}}, nil
		case added > there:
			first = "\n" + first
		}
		return []splice{{start, start, open}, {end, end, first + "\n)"}}, nil
	})
}

// RemoveImport removes what Import added, unless the file still uses it.
func RemoveImport(src []byte, pkg, name string) ([]byte, error) {
	missing := &Missing{Line: "import " + importLine(pkg, name), Remove: true}
	return change(src, missing, func(s *source) ([]splice, error) {
		spec := s.imported(pkg, name)
		if spec == nil || s.uses(localName(spec)) {
			return nil, nil
		}
		for _, decl := range s.tree.Decls {
			block, ok := decl.(*ast.GenDecl)
			if !ok || !slices.Contains(block.Specs, ast.Spec(spec)) {
				continue
			}
			if len(block.Specs) == 1 {
				from, to, _ := s.lines(block)
				if from > 0 && to < len(s.src) && s.src[to] == '\n' { // one of two blank lines
					to++
				}
				return []splice{{from, to, ""}}, nil
			}
			from, to, alone := s.lines(spec)
			if !alone {
				return []splice{{s.at(spec.Pos()), s.at(spec.End()), ""}}, nil
			}
			before := s.lineStart(max(from-1, 0))
			if s.blank(before, from) && (s.blank(to, s.lineEnd(to)) || s.src[to] == ')') {
				from = before // it was its own group
			}
			return []splice{{from, to, ""}}, nil
		}
		return nil, nil
	})
}

// importInto adds a line to a parenthesized block, at the end of its group: gofmt sorts
// groups.
func (s *source) importInto(block *ast.GenDecl, pkg, line string, own []string) []splice {
	wanted := kind(pkg, own)
	var last *ast.ImportSpec // of the kind, or of the nearest kind before it
	for _, spec := range block.Specs {
		spec := spec.(*ast.ImportSpec)
		there := kind(pathOf(spec), own)
		if there <= wanted && (last == nil || there >= kind(pathOf(last), own)) {
			last = spec
		}
	}
	if last == nil { // it goes before all others
		at := s.at(block.Lparen) + 1
		return []splice{{at, at, "\n\t" + line + "\n"}}
	}
	at := s.lineEnd(s.at(last.End()))
	if kind(pathOf(last), own) == wanted {
		return []splice{{at, at, "\n\t" + line}}
	}
	text := "\n\n\t" + line
	// Without a blank line, the next group would absorb the new one.
	if rest := at + 1; rest < s.at(block.Rparen) && !s.blank(rest, s.lineEnd(rest)) && s.lineStart(s.at(block.Rparen)) != rest {
		text += "\n"
	}
	return []splice{{at, at, text}}
}

// importBlock returns the declaration that imports are added to: the first parenthesized
// one, or else the first. It skips import "C".
func (s *source) importBlock() *ast.GenDecl {
	var single *ast.GenDecl
	for _, decl := range s.tree.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.IMPORT || slices.ContainsFunc(block.Specs, func(spec ast.Spec) bool {
			return pathOf(spec.(*ast.ImportSpec)) == "C"
		}) {
			continue
		}
		if block.Lparen.IsValid() {
			return block
		}
		if single == nil {
			single = block
		}
	}
	return single
}

// imported returns the import of a package under the wanted name.
func (s *source) imported(pkg, name string) *ast.ImportSpec {
	for _, spec := range s.tree.Imports {
		if pathOf(spec) != pkg {
			continue
		}
		if there := spec.Name; there == nil && (name == "" || name == guess(pkg)) ||
			there != nil && (there.Name == name || name == "" && there.Name == guess(pkg)) {
			return spec
		}
	}
	return nil
}

// uses reports whether a file contains name.Something, or has to be assumed to.
func (s *source) uses(name string) bool {
	if name == "_" || name == "." {
		return false
	}
	used := false
	ast.Inspect(s.tree, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == name {
				used = true
			}
		}
		return !used
	})
	return used
}

// kind returns 0 for the standard library, 1 for other modules and 2 for own ones.
func kind(pkg string, own []string) int {
	for _, prefix := range own {
		if pkg == prefix || strings.HasPrefix(pkg, strings.TrimSuffix(prefix, "/")+"/") {
			return 2
		}
	}
	if first, _, _ := strings.Cut(pkg, "/"); strings.Contains(first, ".") {
		return 1
	}
	return 0
}

func importLine(pkg, name string) string {
	if name != "" {
		name += " "
	}
	return name + strconv.Quote(pkg)
}

func pathOf(spec *ast.ImportSpec) string {
	pkg, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return pkg
}

// alias returns the explicit name of an import; "" for none.
func alias(spec *ast.ImportSpec) string {
	if spec.Name == nil {
		return ""
	}
	return spec.Name.Name
}

func localName(spec *ast.ImportSpec) string { return cmp.Or(alias(spec), guess(pathOf(spec))) }

// guess returns the likely name of a package: the last element of its path that is not a
// version.
func guess(pkg string) string {
	base := path.Base(pkg)
	if version, ok := strings.CutPrefix(base, "v"); ok {
		if _, err := strconv.Atoi(version); err == nil && path.Dir(pkg) != "." {
			return path.Base(path.Dir(pkg))
		}
	}
	return base
}

// MoveImports replaces the path of a module by another in the imports of src. It sorts
// them again if gofmt had sorted them.
func MoveImports(src []byte, from, to string) ([]byte, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	moved := src
	for _, spec := range slices.Backward(file.Imports) {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		below, ok := strings.CutPrefix(path+"/", from+"/")
		if !ok {
			continue
		}
		start, end := set.Position(spec.Path.Pos()).Offset, set.Position(spec.Path.End()).Offset
		quoted := strconv.Quote(strings.TrimSuffix(to+"/"+below, "/"))
		moved = slices.Concat(moved[:start], []byte(quoted), moved[end:])
	}
	if formatted, err := format.Source(src); err == nil && bytes.Equal(formatted, src) && !bytes.Equal(moved, src) {
		return format.Source(moved)
	}
	return moved, nil
}
