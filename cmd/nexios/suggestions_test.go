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

// TestSuggestionsParse checks the commands that errors and findings in the sources
// suggest: a line that starts with a program must be a valid command line. Values known
// only at run time are replaced by x; TestStories checks the real ones.
func TestSuggestionsParse(t *testing.T) {
	count := 0
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
			suggestions, err := suggestionsIn(name)
			for place, line := range suggestions {
				count++
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
	if count < 150 {
		t.Errorf("found only %d suggestions", count)
	}
}

// suggestionsIn returns the suggestions in a source file by position.
func suggestionsIn(name string) (map[string]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, 0)
	if err != nil {
		return nil, err
	}
	known := map[string]string{} // values of the variables and constants of the file
	assigned := func(names []ast.Expr, values []ast.Expr) {
		for i, value := range values {
			if id, ok := names[min(i, len(names)-1)].(*ast.Ident); ok && len(names) == len(values) {
				known[id.Name] = spelled(value, known)
			}
		}
	}
	suggestions := map[string]string{}
	add := func(e ast.Expr) {
		suggestions[set.Position(e.Pos()).String()] = spelled(e, known)
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
			if sel, ok := n.Lhs[0].(*ast.SelectorExpr); ok && (sel.Sel.Name == "Try" || sel.Sel.Name == "Remedy") {
				add(n.Rhs[0])
			}
			assigned(n.Lhs, n.Rhs)
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok && (id.Name == "Try" || id.Name == "Remedy") {
				add(n.Value)
			}
		case *ast.CompositeLit:
			if id, ok := n.Type.(*ast.Ident); ok && id.Name == "finding" && len(n.Elts) == 4 {
				add(n.Elts[3])
			}
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Failed" && len(n.Args) == 2 {
				add(n.Args[1])
			}
		}
		return true
	})
	return suggestions, nil
}

const unknown = "x"

// spelled returns the text of an expression, with unknown for values known only at run
// time.
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
		sel, ok := e.Fun.(*ast.SelectorExpr)
		switch {
		case !ok:
		case sel.Sel.Name == "Command":
			return "nexios add resource post title:string"
		case sel.Sel.Name == "Sprintf":
			format := strings.NewReplacer("%s", unknown, "%q", unknown, "%d", "2").Replace(spelled(e.Args[0], known))
			return format
		}
	}
	return unknown
}

// typeable returns an error if a line cannot be typed as it is. Text that does not
// start with a program is addressed to people, and always valid.
func typeable(line string) error {
	line, _, _ = strings.Cut(line, "   #") // a comment
	line, _, _ = strings.Cut(line, " > ")
	for part := range strings.SplitSeq(line, " && ") {
		words := strings.Fields(part)
		for len(words) > 1 && strings.ToUpper(words[0]) == words[0] && strings.Contains(words[0], "=") {
			words = words[1:] // an environment variable
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
			return errors.New("a command with other text")
		}
	}
	return nil
}

// understood returns an error if nexios does not accept the command line.
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
		return nil // known only at run time
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
