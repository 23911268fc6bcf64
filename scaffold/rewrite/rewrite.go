// Package rewrite adapts code written for an older runtime to this one: it renames
// identifiers and adds arguments to calls. It is for code that developers have edited;
// upgrade regenerates what nexios generates.
package rewrite

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/format"
	"go/token"
	"go/types"
	"regexp"
	"slices"
)

// Rule is a breaking change of the runtime's API.
type Rule struct {
	Package string // relative to the runtime: "auth"
	Type    string // type of the method or field; "" for a declaration of the package
	Name    string // old name
	To      string // new name; "" if unchanged
	// Argument is appended to the arguments of calls; "" for none. Params is the number of
	// parameters that the function had before.
	Argument string
	Params   int
	Why      string // explanation for readers of the plan
}

// String returns the identifier that the rule is about: "auth.Service.Confirm".
func (r Rule) String() string {
	if r.Type == "" {
		return r.Package + "." + r.Name
	}
	return r.Package + "." + r.Type + "." + r.Name
}

// Rules returns the breaking changes of the API since the first release, oldest first.
// Whoever makes a change that make api reports adds a rule for it.
func Rules() []Rule {
	return []Rule{
		{Package: "auth", Type: "Service", Name: "Confirm", Params: 4, Argument: `""`, Why: `the code of a second factor is the last argument; "" for none`},
		{Package: "auth", Type: "Service", Name: "ChangePassword", Params: 5, Argument: "false", Why: "the last argument says whether API keys end too"},
	}
}

// Mentions reports whether a text may use the subject of a rule.
func Mentions(text []byte, rules []Rule) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return bytes.Contains(text, []byte(r.Name)) })
}

// Use is a place where a rule changes a file.
type Use struct {
	Rule    Rule
	Line    int
	At, End int    // offsets of the replaced text
	Text    string // the replacement
	whole   [2]int // offsets of the enclosing expression
}

// Uses returns the places in a file that rules change. runtime is the import path of the
// runtime; info has the uses of the file's package, type-checked with the older runtime,
// and the definitions where rules are about the project's own code.
func Uses(files *token.FileSet, file *ast.File, info *types.Info, runtime string, rules []Rule) []Use {
	var uses []Use
	at := func(pos token.Pos) int { return files.PositionFor(pos, false).Offset }
	add := func(rule Rule, from, to token.Pos, text string, whole ast.Node) {
		uses = append(uses, Use{rule, files.PositionFor(from, false).Line, at(from), at(to), text, [2]int{at(whole.Pos()), at(whole.End())}})
	}
	of := func(id *ast.Ident) []Rule {
		var found []Rule
		if object := cmp.Or(info.Uses[id], info.Defs[id]); object != nil && object.Pkg() != nil {
			for _, rule := range rules {
				if object.Name() == rule.Name && object.Pkg().Path() == runtime+"/"+rule.Package && rule.owns(object) {
					found = append(found, rule)
				}
			}
		}
		return found
	}
	selected := map[*ast.Ident]ast.Node{}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			selected[node.Sel] = node
		case *ast.Ident:
			whole := selected[node]
			if whole == nil {
				whole = node
			}
			for _, rule := range of(node) {
				if rule.To != "" {
					add(rule, node.Pos(), node.End(), rule.To, whole)
				}
			}
		case *ast.CallExpr:
			id := called(node)
			if id == nil || node.Ellipsis.IsValid() {
				return true
			}
			for _, rule := range of(id) {
				signature, ok := info.Uses[id].Type().(*types.Signature)
				if !ok || rule.Argument == "" || signature.Params().Len() != rule.Params || len(node.Args) != rule.Params {
					continue
				}
				end, text := node.Lparen+1, rule.Argument
				if len(node.Args) > 0 {
					end, text = node.Args[len(node.Args)-1].End(), ", "+text
				}
				add(rule, end, end, text, node)
			}
		}
		return true
	})
	return uses
}

// called returns the name of the called function; nil if it has none.
func called(call *ast.CallExpr) *ast.Ident {
	for e := ast.Unparen(call.Fun); ; {
		switch f := e.(type) {
		case *ast.Ident:
			return f
		case *ast.SelectorExpr:
			return f.Sel
		case *ast.IndexExpr:
			e = f.X
		case *ast.IndexListExpr:
			e = f.X
		default:
			return nil
		}
	}
}

// owns reports whether an object with the rule's name is the rule's subject.
func (r Rule) owns(object types.Object) bool {
	switch object := object.(type) {
	case *types.Func:
		recv := object.Signature().Recv()
		if recv == nil {
			return r.Type == ""
		}
		of := recv.Type()
		if pointer, ok := of.(*types.Pointer); ok {
			of = pointer.Elem()
		}
		named, ok := types.Unalias(of).(*types.Named)
		return ok && named.Obj().Name() == r.Type
	case *types.Var:
		if !object.IsField() {
			return r.Type == ""
		}
		name, ok := object.Pkg().Scope().Lookup(r.Type).(*types.TypeName)
		if !ok {
			return false
		}
		fields, ok := name.Type().Underlying().(*types.Struct)
		if !ok {
			return false
		}
		for i := range fields.NumFields() {
			if fields.Field(i) == object.Origin() {
				return true
			}
		}
		return false
	}
	return r.Type == ""
}

// Apply returns a file with the changes applied.
func Apply(text []byte, uses []Use) []byte { return like(splice(text, uses, 0), text) }

// splice applies changes to a text that starts at an offset of the file.
func splice(text []byte, uses []Use, from int) []byte {
	for _, use := range slices.SortedFunc(slices.Values(uses), func(a, b Use) int { return cmp.Compare(b.At, a.At) }) {
		text = slices.Concat(text[:use.At-from], []byte(use.Text), text[use.End-from:])
	}
	return text
}

// Alike applies the changes of the same expressions to another version of the file, such
// as the generated one.
func Alike(other, text []byte, uses []Use) []byte {
	changed := other
	outer := slices.SortedFunc(slices.Values(uses), func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.whole[0], b.whole[0]), cmp.Compare(b.whole[1], a.whole[1]))
	})
	for len(outer) > 0 {
		from, to, n := outer[0].whole[0], outer[0].whole[1], 1
		for n < len(outer) && outer[n].whole[1] <= to { // nested in it
			n++
		}
		was, is := text[from:to], splice(text[from:to], outer[:n], from)
		outer = outer[n:]
		alone := regexp.MustCompile(`(^|[^\w.])` + regexp.QuoteMeta(string(was)) + `($|\W)`)
		changed = alone.ReplaceAllFunc(changed, func(found []byte) []byte { return bytes.Replace(found, was, is, 1) })
	}
	return like(changed, other)
}

// like formats the result if the original text was formatted.
func like(changed, text []byte) []byte {
	if was, err := format.Source(text); err != nil || !bytes.Equal(was, text) {
		return changed
	}
	if formatted, err := format.Source(changed); err == nil {
		return formatted
	}
	return changed
}
