package edit

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"slices"
	"strings"
)

// Declares reports whether a Go file has a function or a type of that name.
func Declares(src []byte, name string) bool {
	s, err := parse(src)
	return err == nil && (s.function(name) != nil || s.structure(name) != nil)
}

// Renamed adapts text, a piece of Go for a function as in base, to the names that yours
// uses for the same values: a parameter of the same type, or a variable or a constant with
// the same value.
func Renamed(base, yours []byte, function, text string) string {
	b, err := parse(base)
	if err != nil {
		return text
	}
	y, err := parse(yours)
	if err != nil {
		return text
	}
	from, to := b.function(function), y.function(function)
	if from == nil || to == nil {
		return text
	}
	names := map[string]string{}
	pair := func(before, after []binding) {
		for _, v := range before {
			value := replaced(v.value, names)
			there, other := "", 0
			for _, w := range after {
				if w.name == v.name && v.name != "_" {
					there = w.name
					break
				}
				if sameTokens(w.value, value) && !slices.ContainsFunc(before, func(v binding) bool { return v.name == w.name }) {
					there = w.name
					other++
				}
			}
			if there != v.name && other == 1 {
				names[v.name] = there
			}
		}
	}
	pair(b.constants(), y.constants())
	pair(b.parameters(from), y.parameters(to))
	pair(b.locals(from), y.locals(to))
	return replaced(text, names)
}

// binding is a name and its type or value, as Go source.
type binding struct{ name, value string }

// parameters returns the parameters of a function with their types.
func (s *source) parameters(f *ast.FuncDecl) []binding {
	var list []binding
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			list = append(list, binding{name.Name, s.text(field.Type)})
		}
	}
	return list
}

// locals returns the variables that a function defines by ":=", one per statement.
func (s *source) locals(f *ast.FuncDecl) []binding {
	var list []binding
	for _, statement := range f.Body.List {
		define, ok := statement.(*ast.AssignStmt)
		if !ok || define.Tok != token.DEFINE || len(define.Rhs) != 1 {
			continue
		}
		if name, ok := define.Lhs[0].(*ast.Ident); ok {
			list = append(list, binding{name.Name, s.text(define.Rhs[0])})
		}
	}
	return list
}

// constants returns the constants of the file.
func (s *source) constants() []binding {
	var list []binding
	for _, decl := range s.tree.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			v := spec.(*ast.ValueSpec)
			for i, name := range v.Names {
				if i < len(v.Values) {
					list = append(list, binding{name.Name, s.text(v.Values[i])})
				}
			}
		}
	}
	return list
}

// replaced renames identifiers in a piece of Go, except selected fields and methods.
func replaced(text string, names map[string]string) string {
	if len(names) == 0 {
		return text
	}
	var b strings.Builder
	var scan scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(text))
	scan.Init(file, []byte(text), func(token.Position, string) {}, scanner.ScanComments)
	last, selected := 0, false
	for {
		pos, tok, literal := scan.Scan()
		if tok == token.EOF {
			break
		}
		if name, ok := names[literal]; ok && tok == token.IDENT && !selected {
			at := file.Offset(pos)
			b.WriteString(text[last:at] + name)
			last = at + len(literal)
		}
		selected = tok == token.PERIOD
	}
	return b.String() + text[last:]
}
