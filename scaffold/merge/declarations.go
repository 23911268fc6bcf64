package merge

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// piece is a part of a Go file: the part before the declarations, or a declaration with
// the comments before it.
type piece struct {
	name  string
	lines []string
}

// byName merges Go files declaration by declaration, so that a declaration added by yours
// is not a change of its neighbours, however similar their lines are. It returns nil if
// there is a conflict, or if a file has declarations without unique names.
func byName(base, yours, theirs []byte) []string {
	b, y, t := pieces(base), pieces(yours), pieces(theirs)
	if b == nil || y == nil || t == nil {
		return nil
	}
	var out []piece
	for _, mine := range y {
		was, had := find(b, mine.name)
		is, has := find(t, mine.name)
		switch {
		case !had && has, had && !has && !slices.Equal(was.lines, mine.lines):
			return nil // both added it, or one side changed what the other removed
		case had && !has:
			continue
		case had:
			m := merger{base: was.lines, yours: mine.lines, theirs: is.lines, complete: completeGo}
			if m.merge(); m.conflict {
				return nil
			}
			mine.lines = m.out
		}
		out = append(out, mine)
	}
	for i, is := range t {
		_, mine := find(y, is.name)
		was, had := find(b, is.name)
		switch {
		case mine || had && slices.Equal(was.lines, is.lines): // removed by the developer
			continue
		case had:
			return nil
		}
		at := len(out)
		if i > 0 {
			if before := slices.IndexFunc(out, func(p piece) bool { return p.name == t[i-1].name }); before >= 0 {
				at = before + 1
			}
		}
		out = slices.Insert(out, at, is)
	}
	var lines []string
	for _, p := range out {
		lines = append(lines, p.lines...)
	}
	return lines
}

func find(pieces []piece, name string) (piece, bool) {
	i := slices.IndexFunc(pieces, func(p piece) bool { return p.name == name })
	if i < 0 {
		return piece{}, false
	}
	return pieces[i], true
}

// pieces splits a file into declarations, at whole lines; nil if that is not possible. The
// first piece has the package clause and the imports, and no name.
func pieces(src []byte) []piece {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", src, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	lines := split(src, "").lines
	list := []piece{{}}
	from := 0
	cut := func(to int, name string) bool {
		if to <= from {
			return false // two on one line
		}
		p := piece{name, lines[from:to]}
		from = to
		if name == "" {
			list[0].lines = p.lines
			return true
		}
		_, twice := find(list, name)
		list = append(list, p)
		return !twice
	}
	end := func(node ast.Node) int { return set.Position(node.End()).Line }
	head := end(file.Name)
	declared := file.Decls
	for len(declared) > 0 {
		imports, ok := declared[0].(*ast.GenDecl)
		if !ok || imports.Tok != token.IMPORT {
			break
		}
		head, declared = end(imports), declared[1:]
	}
	if !cut(head, "") {
		return nil
	}
	for i, decl := range declared {
		to := end(decl)
		if i == len(declared)-1 {
			to = len(lines) // including what follows it
		}
		if name := nameOf(decl); name == "" || !cut(to, name) {
			return nil
		}
	}
	if from < len(lines) {
		list[0].lines = lines // no declarations
	}
	return list
}

// nameOf returns what identifies a declaration in its file.
func nameOf(decl ast.Decl) string {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Name.Name == "_" || decl.Name.Name == "init" {
			return ""
		}
		if decl.Recv == nil || len(decl.Recv.List) != 1 {
			return "func " + decl.Name.Name
		}
		e := decl.Recv.List[0].Type
		if star, ok := e.(*ast.StarExpr); ok {
			e = star.X
		}
		if id, ok := e.(*ast.Ident); ok {
			return "func " + id.Name + "." + decl.Name.Name
		}
	case *ast.GenDecl:
		if len(decl.Specs) == 0 || decl.Tok == token.IMPORT {
			return ""
		}
		switch spec := decl.Specs[0].(type) {
		case *ast.TypeSpec:
			return "type " + spec.Name.Name
		case *ast.ValueSpec:
			if name := spec.Names[0].Name; name != "_" {
				return decl.Tok.String() + " " + name
			}
		}
	}
	return ""
}

// narrowing reports whether a text consists only of statements that set a variable to
// something derived from itself, such as a query to a narrower one, and so can go before
// any others.
func narrowing(lines []string) bool {
	list := statements(lines)
	for _, statement := range list {
		set, ok := statement.(*ast.AssignStmt)
		if !ok || set.Tok != token.ASSIGN || len(set.Lhs) != 1 || len(set.Rhs) != 1 {
			return false
		}
		variable, ok := set.Lhs[0].(*ast.Ident)
		if !ok {
			return false
		}
		used := false
		ast.Inspect(set.Rhs[0], func(node ast.Node) bool {
			id, ok := node.(*ast.Ident)
			used = used || ok && id.Name == variable.Name
			return true
		})
		if !used {
			return false
		}
	}
	return len(list) > 0
}

// statements parses a text as a list of statements; nil if it is anything else.
func statements(lines []string) []ast.Stmt {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {\n"+strings.Join(lines, "\n")+"\n}\n", parser.SkipObjectResolution)
	if err != nil || len(file.Decls) != 1 {
		return nil
	}
	return file.Decls[0].(*ast.FuncDecl).Body.List
}
