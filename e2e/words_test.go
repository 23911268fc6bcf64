package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// gendered matches words that call a user a man, or that are rare in English.
var gendered = regexp.MustCompile(`(?i)\b(he|his|him|himself|oneself|whoever)\b`)

// TestWords checks the texts that users read for gendered words: the strings of our
// programs, and all generated files except tests.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, root := range []string{"cmd", "scaffold", "templates", "runtime", "README.md"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			generated := strings.Contains(filepath.ToSlash(path), "/files/") || strings.Contains(filepath.ToSlash(path), "/containers/")
			switch ext := filepath.Ext(path); {
			case strings.HasPrefix(filepath.ToSlash(path), "../templates") && generated, ext == ".md", ext == ".html", ext == ".ts":
				text, err := os.ReadFile(path)
				for i, line := range strings.Split(string(text), "\n") {
					if word := gendered.FindString(line); word != "" {
						t.Errorf("%s:%d: %q in %s", path, i+1, word, strings.TrimSpace(line))
					}
				}
				return err
			case ext == ".go":
				files := token.NewFileSet()
				file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
				if err != nil {
					return err
				}
				ast.Inspect(file, func(n ast.Node) bool {
					if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
						if word := gendered.FindString(text.Value); word != "" {
							t.Errorf("%s: %q in %.200s", files.Position(text.Pos()), word, text.Value)
						}
					}
					return true
				})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
