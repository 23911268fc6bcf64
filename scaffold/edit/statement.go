package edit

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// StatementIn adds a statement to a function, after its initial assignments, declarations
// and calls and before anything else, such as its return or the list that it builds. It
// does nothing if the function defines the same variables.
func StatementIn(src []byte, function, statement string) ([]byte, error) {
	statement = strings.TrimSpace(statement)
	missing := &Missing{Line: statement, What: fmt.Sprintf("function %s not found", function)}
	return change(src, missing, func(s *source) ([]splice, error) {
		f := s.function(function)
		if f == nil {
			return nil, missing
		}
		body := f.Body.List
		for _, there := range body {
			if sameTokens(s.text(there), statement) || s.defines(there, statement) {
				return nil, nil
			}
		}
		after := 0
		for after < len(body) && prepares(body[after]) {
			after++
		}
		return []splice{s.place(f.Body, after, statement)}, nil
	})
}

// place returns the splice that adds a statement after the first n of a body.
func (s *source) place(body *ast.BlockStmt, n int, statement string) splice {
	behind, next := s.at(body.Lbrace)+1, s.at(body.Rbrace)
	if n > 0 {
		behind = s.at(body.List[n-1].End())
	}
	if n < len(body.List) {
		next = s.at(body.List[n].Pos())
	}
	outer := s.indent(s.at(body.Lbrace))
	if line := s.lineEnd(behind); line < next {
		return splice{line, line, "\n" + outer + "\t" + statement}
	}
	if n < len(body.List) {
		return splice{next, next, statement + "; "}
	}
	return splice{next, next, "\n" + outer + "\t" + statement + "\n" + outer}
}

// RemoveStatement removes what StatementIn added, with its trailing comment.
func RemoveStatement(src []byte, function, statement string) ([]byte, error) {
	statement = strings.TrimSpace(statement)
	missing := &Missing{Line: statement, Remove: true, What: fmt.Sprintf("function %s has this statement in a different form", function)}
	return change(src, missing, func(s *source) ([]splice, error) {
		f := s.function(function)
		if f == nil {
			return nil, nil
		}
		for i, there := range f.Body.List {
			if sameTokens(s.text(there), statement) {
				if from, to, alone := s.lines(there); alone {
					return []splice{{from, to, ""}}, nil
				}
				from, to := s.at(there.Pos()), s.at(there.End())
				if i+1 < len(f.Body.List) {
					to = s.at(f.Body.List[i+1].Pos())
				}
				return []splice{{from, to, ""}}, nil
			}
			if s.defines(there, statement) {
				return nil, missing
			}
		}
		return nil, nil
	})
}

// prepares reports whether a statement is an initial one: it sets something up, and is not
// the list itself.
func prepares(statement ast.Stmt) bool {
	switch statement := statement.(type) {
	case *ast.AssignStmt:
		return !slices.ContainsFunc(statement.Rhs, func(e ast.Expr) bool {
			return slices.ContainsFunc(listsIn(e), func(l list) bool { return l.kind == literal })
		})
	case *ast.ExprStmt, *ast.DeclStmt:
		return true
	}
	return false
}

// defines reports whether a statement and a piece of Go define the same variables by ":=".
func (s *source) defines(statement ast.Stmt, text string) bool {
	define, ok := statement.(*ast.AssignStmt)
	if !ok || define.Tok != token.DEFINE {
		return false
	}
	names, _, ok := strings.Cut(text, ":=")
	there := string(s.src[s.at(define.Pos()):s.at(define.TokPos)])
	return ok && sameTokens(names, there)
}
