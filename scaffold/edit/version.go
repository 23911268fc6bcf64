package edit

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
)

// Deprecate sets the expression as the deprecation of web.Module literals with a Name,
// unless they have one.
func Deprecate(src []byte, expression string) []byte {
	out, err := change(src, &Missing{}, func(s *source) ([]splice, error) {
		var all []splice
		ast.Inspect(s.tree, func(node ast.Node) bool {
			lit, ok := node.(*ast.CompositeLit)
			if !ok || typeName(lit.Type) != "Module" {
				return true
			}
			name := -1
			for i, element := range lit.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok {
					switch key, _ := pair.Key.(*ast.Ident); {
					case key != nil && key.Name == "Deprecated":
						return true
					case key != nil && key.Name == "Name":
						name = i
					}
				}
			}
			if name >= 0 {
				end := s.at(lit.Elts[name].End())
				all = append(all, splice{end, end, ", Deprecated: " + expression})
			}
			return true
		})
		return all, nil
	})
	if err != nil {
		return src // a file that does not parse is merged unchanged
	}
	return out
}

// MountLike replaces the expression, which mounts a module, by a copy of the call that
// mounts the module of the package at path, with the same arguments and methods, but with
// the package to and below under.
func MountLike(src []byte, path, expression, to, under string) []byte {
	return mounted(src, path, func(s *source, m mount) []splice {
		from := s.at(m.all.Pos())
		like := splices(s.text(m.all), []splice{
			{s.at(m.under.Pos()) - from, s.at(m.under.End()) - from, under},
			{s.at(m.pkg.Pos()) - from, s.at(m.pkg.End()) - from, to},
		})
		var found []splice
		ast.Inspect(s.tree, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			switch {
			case !ok:
			case sameTokens(s.text(call), like):
				return false
			case sameTokens(s.text(call), expression):
				found = []splice{{s.at(call.Pos()), s.at(call.End()), like}}
			}
			return true
		})
		return found
	})
}

// MountAs replaces the expression that mounts the module of the package at path, whatever
// arguments and methods the developer added.
func MountAs(src []byte, path, expression string) []byte {
	return mounted(src, path, func(s *source, m mount) []splice {
		if sameTokens(s.text(m.all), expression) {
			return nil
		}
		return []splice{{s.at(m.all.Pos()), s.at(m.all.End()), expression}}
	})
}

// mount is posts.Module(gdb).Under(api), including other chained calls.
type mount struct {
	all   *ast.CallExpr
	pkg   *ast.Ident // posts
	under ast.Expr   // api
}

// mounted changes a file where it mounts the module of a package.
func mounted(src []byte, path string, how func(*source, mount) []splice) []byte {
	out, err := change(src, &Missing{}, func(s *source) ([]splice, error) {
		local := ""
		for _, spec := range s.tree.Imports {
			if pathOf(spec) == path {
				local = localName(spec)
			}
		}
		var found *mount
		ast.Inspect(s.tree, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || found != nil {
				return found == nil
			}
			m := mount{all: call}
			for c := call; c != nil; {
				f, ok := c.Fun.(*ast.SelectorExpr)
				if !ok {
					break
				}
				x, _ := f.X.(*ast.Ident)
				switch {
				case f.Sel.Name == "Under" && len(c.Args) == 1:
					m.under = c.Args[0]
				case f.Sel.Name == "Module" && x != nil && x.Name == local:
					m.pkg = x
				}
				c, _ = f.X.(*ast.CallExpr)
			}
			if m.pkg != nil && m.under != nil {
				found = &m
			}
			return found == nil
		})
		if found == nil {
			return nil, nil
		}
		return how(s, *found), nil
	})
	if err != nil {
		return src
	}
	return out
}

// splices applies splices to a text, from the last to the first.
func splices(text string, list []splice) string {
	slices.SortFunc(list, func(a, b splice) int { return b.from - a.from })
	for _, c := range list {
		text = text[:c.from] + c.text + text[c.to:]
	}
	return text
}

// Calls returns the lines on which a Go file calls functions of the package at path.
func Calls(src []byte, path string, functions ...string) (lines []int) {
	s, err := parse(src)
	if err != nil {
		return nil
	}
	for _, spec := range s.tree.Imports {
		if pathOf(spec) != path {
			continue
		}
		ast.Inspect(s.tree, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.SelectorExpr); ok {
					if x, ok := f.X.(*ast.Ident); ok && x.Name == localName(spec) && slices.Contains(functions, f.Sel.Name) {
						lines = append(lines, s.file.Line(call.Pos()))
					}
				}
			}
			return true
		})
	}
	return lines
}

// Selects returns the first line on which a Go file selects a field, sets it in a literal
// of the model or names it in a string; 0 if there is none.
func Selects(src []byte, field string) int {
	s, err := parse(src)
	if err != nil {
		return 0
	}
	line := 0
	ast.Inspect(s.tree, func(node ast.Node) bool {
		found := false
		switch node := node.(type) {
		case *ast.SelectorExpr:
			found = node.Sel.Name == field
		case *ast.BasicLit:
			found = node.Kind == token.STRING && node.Value == strconv.Quote(field)
		case *ast.CompositeLit:
			if of, ok := node.Type.(*ast.SelectorExpr); ok {
				x, _ := of.X.(*ast.Ident)
				found = x != nil && x.Name == "model" && slices.ContainsFunc(node.Elts, func(element ast.Expr) bool {
					pair, _ := element.(*ast.KeyValueExpr)
					return pair != nil && s.text(pair.Key) == field
				})
			}
		}
		if found && line == 0 {
			line = s.file.Line(node.Pos())
		}
		return line == 0
	})
	return line
}
