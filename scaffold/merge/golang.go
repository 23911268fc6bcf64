package merge

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// Go is Merge for Go files. Files that gofmt has not formatted are left to Merge, and
// formatted only if that results in a conflict. Go resolves two kinds of conflict:
//
// Lines that differ only in the columns aligned by gofmt are equal, so adding a longer
// name does not change its neighbours.
//
// If one side only adds lines, and both its additions and the other side's version of the
// adjacent lines are complete declarations, imports, struct fields or list elements, both
// are taken; lines that both add are taken once.
//
// If conflicts remain, declarations are merged by name, and statements that only narrow a
// query go before what the other side added at the same place.
func Go(base, yours, theirs []byte) (text []byte, conflict bool) {
	text, conflict = Merge(base, yours, theirs)
	if base == nil || bytes.Equal(text, yours) && !conflict || bytes.Equal(text, theirs) && !conflict {
		return text, conflict
	}
	b, y, t := loose(lf(base), conflict), loose(lf(yours), conflict), loose(lf(theirs), conflict)
	if b == nil || y == nil || t == nil {
		return text, conflict
	}
	m := merger{base: split(b, "").lines, yours: split(y, "").lines, theirs: split(t, "").lines, complete: completeGo}
	m.merge()
	if m.conflict {
		m.out = byName(b, y, t)
		m.conflict = m.out == nil
	}
	formatted, err := format.Source(join(m.out, true))
	if m.conflict || err != nil {
		return text, conflict
	}
	return Like(formatted, yours), false
}

// loose collapses the spaces that gofmt uses for alignment; nil if gofmt would not restore
// exactly the same text. If unformatted, it formats src first.
func loose(src []byte, unformatted bool) []byte {
	if unformatted {
		formatted, err := format.Source(src)
		if err != nil {
			return nil
		}
		src = formatted
	}
	var (
		out  bytes.Buffer
		last int
		bad  bool
		scan scanner.Scanner
		file = token.NewFileSet().AddFile("", -1, len(src))
	)
	scan.Init(file, src, func(token.Position, string) { bad = true }, scanner.ScanComments)
	for {
		pos, tok, literal := scan.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && literal != ";" { // the end of a line
			continue
		}
		start := file.Offset(pos)
		gap := string(src[last:start])
		if len(gap) > 1 && strings.Trim(gap, " \t") == "" {
			gap = " "
		}
		out.WriteString(gap)
		if literal == "" {
			literal = tok.String()
		}
		out.WriteString(literal)
		last = start + len(literal)
	}
	out.Write(src[last:])
	again, err := format.Source(out.Bytes())
	if bad || err != nil || !bytes.Equal(again, src) {
		return nil
	}
	return out.Bytes()
}

// completeGo reports whether both texts are complete declarations, imports, fields or
// elements.
func completeGo(first, second []string) bool {
	one, other := strings.Join(first, "\n"), strings.Join(second, "\n")
	for _, whole := range []func(text string) bool{declarations, imports, fields, elements} {
		if whole(one) && whole(other) {
			return true
		}
	}
	return false
}

func declarations(text string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text+"\n", parser.SkipObjectResolution)
	return err == nil && len(file.Decls) > 0 && len(file.Imports) == 0
}

func imports(text string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nimport (\n"+text+"\n)\n", parser.SkipObjectResolution)
	return err == nil && len(file.Decls) == 1 && len(file.Imports) > 0
}

func fields(text string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\ntype t struct {\n"+text+"\n}\n", parser.SkipObjectResolution)
	if err != nil || len(file.Decls) != 1 {
		return false
	}
	list := file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.TypeSpec).Type.(*ast.StructType).Fields.List
	for _, field := range list {
		if _, call := field.Type.(*ast.ParenExpr); call || len(field.Names) == 0 {
			return false // it may as well be a statement
		}
	}
	return len(list) > 0
}

func elements(text string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nvar x = t{\n"+text+"\n}\n", parser.SkipObjectResolution)
	if err != nil || len(file.Decls) != 1 {
		return false
	}
	value, ok := file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0].(*ast.CompositeLit)
	return ok && len(value.Elts) > 0
}
