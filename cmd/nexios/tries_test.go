package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// TestTriesParse reads the sources for what errors and checks say to type next: a
// line that begins with a program is a command line and nothing else, and the tool
// understands its own. What a value decides is x here; the stories see the rest.
func TestTriesParse(t *testing.T) {
	read := 0
	for _, root := range []string{".", "../../scaffold", "../../templates"} {
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && slices.Contains([]string{"testdata", "files"}, entry.Name()):
				return fs.SkipDir
			case entry.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			tried, err := triesOf(name)
			for place, line := range tried {
				read++
				if why := typeable(line); why != nil {
					t.Errorf("%s: try: %s\n%v", place, line, why)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 150 {
		t.Errorf("only %d were found", read)
	}
}

// triesOf are what a source file says to type next, each with its place.
func triesOf(name string) (map[string]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, 0)
	if err != nil {
		return nil, err
	}
	known := map[string]string{} // what names of the file stand for
	assigned := func(names []ast.Expr, values []ast.Expr) {
		for i, value := range values {
			if id, ok := names[min(i, len(names)-1)].(*ast.Ident); ok && len(names) == len(values) {
				known[id.Name] = spelled(value, known)
			}
		}
	}
	tried := map[string]string{}
	say := func(e ast.Expr) {
		tried[set.Position(e.Pos()).String()] = spelled(e, known)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			clear(known)
		case *ast.ValueSpec:
			names := make([]ast.Expr, len(n.Names))
			for i, id := range n.Names {
				names[i] = id
			}
			assigned(names, n.Values)
		case *ast.AssignStmt:
			if at, ok := n.Lhs[0].(*ast.SelectorExpr); ok && (at.Sel.Name == "Try" || at.Sel.Name == "Remedy") {
				say(n.Rhs[0])
			}
			assigned(n.Lhs, n.Rhs)
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok && (id.Name == "Try" || id.Name == "Remedy") {
				say(n.Value)
			}
		case *ast.CompositeLit:
			if id, ok := n.Type.(*ast.Ident); ok && id.Name == "finding" && len(n.Elts) == 4 {
				say(n.Elts[3])
			}
		case *ast.CallExpr:
			if at, ok := n.Fun.(*ast.SelectorExpr); ok && at.Sel.Name == "Failed" && len(n.Args) == 2 {
				say(n.Args[1])
			}
		}
		return true
	})
	return tried, nil
}

const unknown = "x"

// spelled is the text of an expression, with x for what only a run knows.
func spelled(e ast.Expr, known map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return spelled(e.X, known) + spelled(e.Y, known)
	case *ast.ParenExpr:
		return spelled(e.X, known)
	case *ast.Ident:
		if text, ok := known[e.Name]; ok {
			return text
		}
	case *ast.CallExpr:
		at, ok := e.Fun.(*ast.SelectorExpr)
		switch {
		case !ok:
		case at.Sel.Name == "Command":
			return "nexios add resource post title:string"
		case at.Sel.Name == "Sprintf":
			format := strings.NewReplacer("%s", unknown, "%q", unknown, "%d", "2").Replace(spelled(e.Args[0], known))
			return format
		}
	}
	return unknown
}

// typeable says why a line cannot be typed as it stands. Text that begins with no
// program is for people, who are told in words what they have to decide.
func typeable(line string) error {
	line, _, _ = strings.Cut(line, "   #") // a remark
	line, _, _ = strings.Cut(line, " > ")
	for part := range strings.SplitSeq(line, " && ") {
		words := strings.Fields(part)
		for len(words) > 1 && strings.ToUpper(words[0]) == words[0] && strings.Contains(words[0], "=") {
			words = words[1:] // a setting of the environment
		}
		switch {
		case len(words) == 0:
		case strings.HasPrefix(words[0], "-"):
			return errors.New("a flag without its command")
		case words[0] == "nexios":
			if err := understood(words[1:]); err != nil {
				return err
			}
		case slices.Contains([]string{"go", "git", "chmod", "mkdir", "dlv", "psql"}, words[0]) && strings.ContainsAny(part, ",;"):
			return errors.New("a command, and more than one")
		}
	}
	return nil
}

// understood says why the tool does not understand words.
func understood(words []string) error {
	if slices.ContainsFunc(words, func(word string) bool { return strings.ContainsAny(word, ";\"") || strings.HasSuffix(word, ",") }) {
		return errors.New("prose beside a command")
	}
	root := rootCommand()
	if len(words) > 0 && words[0] == "help" {
		_, rest, err := root.Find(words[1:])
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("no help about %v", rest)
		}
		return err
	}
	cmd, rest, err := root.Find(words)
	if cmd.HasSubCommands() && len(rest) > 0 && rest[0] == unknown {
		return nil // a run decides which
	}
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := cmd.Flags().GetBool("help"); help {
		return nil
	}
	args := cmd.Flags().Args()
	if err := cmd.ValidateArgs(args); err != nil {
		return err
	}
	if slices.Contains([]string{"nexios add resource", "nexios add model", "nexios add field"}, cmd.CommandPath()) && len(args) > 0 {
		for _, word := range args[1:] {
			if !strings.Contains(word, ":") {
				continue
			}
			if _, err := spec.ParseField(word); err != nil {
				return fmt.Errorf("%s: %w", word, err)
			}
		}
	}
	return nil
}
