package edit

import (
	"go/ast"
	"go/token"
	"slices"
)

// Declarations returns the functions, methods and types of a Go file by name, a method as
// Type.Method, each with its doc comment. It omits declarations of several types.
func Declarations(src []byte) map[string]string {
	s, err := parse(src)
	if err != nil {
		return nil
	}
	found := map[string]string{}
	for _, decl := range s.tree.Decls {
		if name, from, to := s.declared(decl); name != "" {
			found[name] = string(s.src[from:to])
		}
	}
	return found
}

// ReplaceDeclaration returns src with the text of one declaration replaced.
func ReplaceDeclaration(src []byte, name, text string) []byte {
	s, err := parse(src)
	if err != nil {
		return src
	}
	for _, decl := range s.tree.Decls {
		if there, from, to := s.declared(decl); there == name {
			return slices.Concat(src[:from], []byte(text), src[to:])
		}
	}
	return src
}

// declared returns the name of a declaration and its offsets.
func (s *source) declared(decl ast.Decl) (name string, from, to int) {
	doc := (*ast.CommentGroup)(nil)
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		name, doc = decl.Name.Name, decl.Doc
		if decl.Recv != nil && len(decl.Recv.List) == 1 {
			name = typeName(decl.Recv.List[0].Type) + "." + name
		}
	case *ast.GenDecl:
		if decl.Tok == token.TYPE && len(decl.Specs) == 1 {
			name, doc = decl.Specs[0].(*ast.TypeSpec).Name.Name, decl.Doc
		}
	}
	from, to = s.at(decl.Pos()), s.at(decl.End())
	if doc != nil {
		from = s.at(doc.Pos())
	}
	return name, from, to
}

// typeName returns the name of a type without its package, pointers and type arguments.
func typeName(e ast.Expr) string {
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.IndexListExpr:
			e = t.X
		case *ast.SelectorExpr:
			return t.Sel.Name
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// FixImports fixes the imports of after, which is before with something merged into it:
// packages that it newly uses are imported as in other, and packages that it no longer
// uses are removed.
func FixImports(before, after, other []byte, own ...string) []byte {
	b, err := parse(before)
	if err != nil {
		return after
	}
	a, err := parse(after)
	if err != nil {
		return after
	}
	o, err := parse(other)
	if err != nil {
		return after
	}
	text := after
	for _, spec := range o.tree.Imports {
		name := localName(spec)
		if !a.uses(name) || b.uses(name) || slices.ContainsFunc(a.tree.Imports, func(there *ast.ImportSpec) bool { return localName(there) == name }) {
			continue
		}
		if fixed, err := Import(text, pathOf(spec), alias(spec), own...); err == nil {
			text = fixed
		}
	}
	for _, spec := range a.tree.Imports {
		if name := localName(spec); !b.uses(name) || a.uses(name) {
			continue
		}
		if fixed, err := RemoveImport(text, pathOf(spec), alias(spec)); err == nil {
			text = fixed
		}
	}
	return text
}
