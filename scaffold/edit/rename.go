package edit

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/merge"
)

// Renaming renames a type in a package of models, and the package that serves it. Each
// pair is the old name and the new one.
type Renaming struct {
	Module string    // the project's module path
	Models string    // folder of the package with the type
	Type   [2]string // "Post"
	Folder [2]string // folder of the package that serves it: "internal/posts"
	File   string    // the file with the type
	Path   [2]string // path of the routes: "/posts"
	// Names are variables and functions, renamed only in the files of the type.
	Names [][2]string
	// Words are replaced in generated texts and comments.
	Words [][2]string
}

func (r Renaming) serves(file string) bool { return strings.HasPrefix(file, r.Folder[0]+"/") }

// Go renames the references to the type or the package in a Go file of the project: the
// imported package and model.Post, and, only in the files of the type, Names and the paths
// of routes. It replaces Words in those texts and comments that also occur in written, the
// file as it was generated. Fields and methods keep their names.
func (r Renaming) Go(file string, src, written []byte) ([]byte, error) {
	text := bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	s, err := parse(text)
	if err != nil {
		return nil, err
	}
	var splices []splice
	replace := func(node ast.Node, with string) {
		splices = append(splices, splice{s.at(node.Pos()), s.at(node.End()), with})
	}
	models, packages := "", ""
	for _, spec := range s.tree.Imports {
		switch below, in := strings.CutPrefix(pathOf(spec)+"/", r.Module+"/"+r.Folder[0]+"/"); {
		case in:
			replace(spec.Path, strconv.Quote(strings.TrimSuffix(r.Module+"/"+r.Folder[1]+"/"+below, "/")))
			if below == "" && spec.Name == nil {
				packages = path.Base(r.Folder[0])
			}
		case pathOf(spec) == r.Module+"/"+r.Models:
			models = localName(spec)
		}
	}
	inModels := path.Dir(file) == r.Models
	done := map[ast.Node]bool{s.tree.Name: true} // not a type, or replaced already
	if base, test := strings.CutSuffix(s.tree.Name.Name, "_test"); r.serves(file) && base == path.Base(r.Folder[0]) {
		replace(s.tree.Name, path.Base(r.Folder[1])+map[bool]string{true: "_test"}[test])
	}
	ast.Inspect(s.tree, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.SelectorExpr:
			if x, ok := node.X.(*ast.Ident); ok && models != "" && x.Name == models && node.Sel.Name == r.Type[0] {
				replace(node.Sel, r.Type[1])
				done[node.Sel] = true
			} else if ok && packages != "" && x.Name == packages {
				replace(x, path.Base(r.Folder[1]))
				done[x] = true
			}
			done[node.Sel] = done[node.Sel] || node.Sel.IsExported()
		case *ast.Field:
			for _, name := range node.Names {
				done[name] = name.IsExported()
			}
		case *ast.FuncDecl:
			done[node.Name] = node.Recv != nil && node.Name.IsExported()
		case *ast.KeyValueExpr:
			if key, ok := node.Key.(*ast.Ident); ok {
				done[key] = key.IsExported()
			}
		case *ast.Ident:
			if done[node] {
				break
			}
			if inModels && node.Name == r.Type[0] {
				replace(node, r.Type[1])
			}
			if at := slices.IndexFunc(r.Names, func(n [2]string) bool { return n[0] == node.Name }); at >= 0 && r.serves(file) {
				replace(node, r.Names[at][1])
			}
		}
		return true
	})
	if file == r.File || r.serves(file) { // only in the files of the type
		splices = append(splices, r.texts(s, written)...)
	}
	if len(splices) == 0 {
		return src, nil
	}
	slices.SortFunc(splices, func(a, b splice) int { return b.from - a.from })
	out := bytes.Clone(text)
	for _, p := range splices {
		out = slices.Concat(out[:p.from], []byte(p.text), out[p.to:])
	}
	if formatted, err := format.Source(text); err == nil && bytes.Equal(formatted, text) {
		if out, err = format.Source(out); err != nil {
			return nil, err
		}
	}
	return merge.Like(out, src), nil
}

// texts renames in the strings and comments of a file.
func (r Renaming) texts(s *source, written []byte) []splice {
	known := map[string]bool{}
	each := func(s *source, do func(from, to token.Pos, text string)) {
		ast.Inspect(s.tree, func(node ast.Node) bool {
			if lit, ok := node.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				do(lit.Pos(), lit.End(), lit.Value)
			}
			_, imports := node.(*ast.ImportSpec)
			return !imports
		})
		for _, group := range s.tree.Comments {
			for _, comment := range group.List {
				do(comment.Pos(), comment.End(), comment.Text)
			}
		}
	}
	if w, err := parse(written); err == nil {
		each(w, func(_, _ token.Pos, text string) { known[text] = true })
	}
	words, is := []string{}, map[string]string{}
	for _, word := range r.Words {
		if is[word[0]] == "" {
			words = append(words, regexp.QuoteMeta(word[0]))
			is[word[0]] = word[1]
		}
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	word := regexp.MustCompile(`\b(` + strings.Join(words, "|") + `)\b`)
	var splices []splice
	each(s, func(from, to token.Pos, text string) {
		now := text
		if known[text] {
			now = word.ReplaceAllStringFunc(text, func(word string) string { return is[word] })
		}
		if quote := text[:1]; now == text && strings.HasPrefix(text[1:], r.Path[0]) {
			if rest := text[1+len(r.Path[0]):]; rest[:1] == quote || strings.ContainsAny(rest[:1], "/?") {
				now = quote + r.Path[1] + rest
			}
		}
		if now != text {
			splices = append(splices, splice{s.at(from), s.at(to), now})
		}
	})
	return splices
}
