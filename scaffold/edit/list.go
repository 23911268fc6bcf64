package edit

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// list is a composite literal or a call: items between two brackets.
type list struct {
	kind        string
	open, close token.Pos
	items       []ast.Expr
}

// The kinds of list, as named in errors.
const (
	literal = "a list"
	concat  = "slices.Concat or append"
	other   = ""
)

// listAdd adds an item, on its own line, to the end of a list that a function returns. A
// literal is the first slice or array literal in its last return statement, including
// arguments of slices.Concat or append, or the initial value of the returned variable;
// concat is the slices.Concat or append.
func listAdd(src []byte, function, item, kind string) ([]byte, error) {
	item = strings.TrimSuffix(strings.TrimSpace(item), ",")
	missing := &Missing{Line: item + ",", What: fmt.Sprintf("no function %s returning %s found", function, kind)}
	return change(src, missing, func(s *source) ([]splice, error) {
		var into *list
		for _, l := range s.returned(function) {
			for _, there := range l.items {
				if sameTokens(s.text(there), item) {
					return nil, nil
				}
			}
			if into == nil && l.kind == kind {
				into = &l
			}
		}
		if into == nil {
			return nil, missing
		}
		return []splice{s.insert(*into, item)}, nil
	})
}

// insert returns the splice that adds an item to a list.
func (s *source) insert(l list, item string) splice {
	open, close := s.at(l.open), s.at(l.close)
	line := s.lineStart(close)
	switch {
	case line > open && s.blank(line, close): // the bracket is on its own line
		indent := s.indent(close) + "\t"
		if len(l.items) > 0 {
			indent = s.indent(s.at(l.items[len(l.items)-1].Pos()))
		}
		return splice{line, line, indent + item + ",\n"}
	case len(l.items) > 0:
		end := s.at(l.items[len(l.items)-1].End())
		return splice{end, end, ", " + item}
	}
	from := close
	if s.blank(open+1, close) {
		from = open + 1
	}
	indent := s.indent(open)
	return splice{from, close, "\n" + indent + "\t" + item + ",\n" + indent}
}

// listRemove removes what listAdd added, with its trailing comment.
func listRemove(src []byte, function, item, kind string) ([]byte, error) {
	item = strings.TrimSuffix(strings.TrimSpace(item), ",")
	missing := &Missing{Line: item + ",", Remove: true, What: fmt.Sprintf("function %s has this line in a different form", function)}
	return change(src, missing, func(s *source) ([]splice, error) {
		similar := false
		for _, l := range s.returned(function) {
			if l.kind != kind {
				continue
			}
			for i, there := range l.items {
				if sameTokens(s.text(there), item) {
					return []splice{s.cut(l, i)}, nil
				}
				similar = similar || sameCall(s.text(there), item)
			}
		}
		if similar {
			return nil, missing
		}
		return nil, nil
	})
}

// cut returns the splice that removes an item.
func (s *source) cut(l list, i int) splice {
	open, close := s.at(l.open)+1, s.at(l.close)
	if from, to, alone := s.lines(l.items[i]); alone {
		if s.blank(open, from) && s.blank(to, close) {
			return splice{open, close, ""}
		}
		return splice{from, to, ""}
	}
	from, to := s.at(l.items[i].Pos()), s.at(l.items[i].End())
	switch {
	case i+1 < len(l.items):
		to = s.at(l.items[i+1].Pos())
	case i > 0:
		from = s.at(l.items[i-1].End())
	case s.src[to] == ',':
		to++
	}
	return splice{from, to, ""}
}

// returned collects the lists in a function's last return statement, and in the values
// assigned to the variables returned there, outermost first.
func (s *source) returned(function string) []list {
	f := s.function(function)
	if f == nil {
		return nil
	}
	var results []ast.Expr
	for _, statement := range f.Body.List {
		if r, ok := statement.(*ast.ReturnStmt); ok {
			results = r.Results
		}
	}
	var lists []list
	for _, result := range results {
		if name, ok := result.(*ast.Ident); ok {
			for _, made := range assigned(f.Body, name.Name) {
				lists = append(lists, listsIn(made)...)
			}
			continue
		}
		lists = append(lists, listsIn(result)...)
	}
	return lists
}

// assigned returns the values that the statements of a body assign to a variable.
func assigned(body *ast.BlockStmt, name string) []ast.Expr {
	var values []ast.Expr
	for _, statement := range body.List {
		switch statement := statement.(type) {
		case *ast.AssignStmt:
			for i, left := range statement.Lhs {
				if id, ok := left.(*ast.Ident); ok && id.Name == name && len(statement.Lhs) == len(statement.Rhs) {
					values = append(values, statement.Rhs[i])
				}
			}
		case *ast.DeclStmt:
			for _, spec := range statement.Decl.(*ast.GenDecl).Specs {
				v, ok := spec.(*ast.ValueSpec)
				for i := 0; ok && i < len(v.Names) && i < len(v.Values); i++ {
					if v.Names[i].Name == name {
						values = append(values, v.Values[i])
					}
				}
			}
		}
	}
	return values
}

// listsIn collects the lists that an expression consists of, without those inside of
// elements.
func listsIn(e ast.Expr) []list {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return listsIn(e.X)
	case *ast.UnaryExpr:
		return listsIn(e.X)
	case *ast.CompositeLit:
		if _, ok := e.Type.(*ast.ArrayType); ok {
			return []list{{literal, e.Lbrace, e.Rbrace, e.Elts}}
		}
	case *ast.CallExpr:
		l := list{other, e.Lparen, e.Rparen, e.Args}
		switch f := e.Fun.(type) {
		case *ast.Ident:
			if f.Name == "append" && !e.Ellipsis.IsValid() { // nothing can follow "list..."
				l.kind = concat
			}
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); ok && x.Name == "slices" && f.Sel.Name == "Concat" && !e.Ellipsis.IsValid() {
				l.kind = concat
			}
		}
		lists := []list{l}
		for _, arg := range e.Args {
			lists = append(lists, listsIn(arg)...)
		}
		return lists
	}
	return nil
}
