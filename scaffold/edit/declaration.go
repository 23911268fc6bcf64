package edit

import (
	"go/ast"
	"go/token"
	"slices"
)

// Declarations are the functions, methods and types of Go source by name, a
// method's after that of its type, each with its comment. A declaration of
// several types is none.
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

// ReplaceDeclaration returns src with another text for one of its declarations.
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

// declared is the name of a declaration and where it stands.
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

// typeName returns the name of a type without its package, pointers and arguments.
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

// MendImports makes the imports of after, which was before until something was
// merged into it, right again: what it uses now and did not is imported as
// another text does, and what it used and does not any more is not imported.
func MendImports(before, after, other []byte, own ...string) []byte {
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
		if mended, err := Import(text, pathOf(spec), alias(spec), own...); err == nil {
			text = mended
		}
	}
	for _, spec := range a.tree.Imports {
		if name := localName(spec); !b.uses(name) || a.uses(name) {
			continue
		}
		if mended, err := RemoveImport(text, pathOf(spec), alias(spec)); err == nil {
			text = mended
		}
	}
	return text
}
