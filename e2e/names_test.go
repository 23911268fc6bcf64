package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

// TestResourceNamesDoNotClashWithApp: the package of a resource is imported into
// internal/app, so nothing declared there may have a name that a resource can have.
func TestResourceNamesDoNotClashWithApp(t *testing.T) {
	t.Parallel()
	const dir = "testdata/golden/internal/app"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+entry.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			var name string
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					name = n.Name.Name
				}
			case *ast.TypeSpec:
				name = n.Name.Name
			case *ast.ValueSpec:
				name = n.Names[0].Name
			case *ast.BlockStmt:
				return false
			}
			if name == "" || name != strings.ToLower(name) {
				return true // not a valid package name
			}
			declared++
			r, err := spec.ParseResource(spec.Resource{Name: "thing", Plural: name, Fields: []string{"title:string"}})
			if err == nil {
				t.Errorf("%s declares %s, which the package of a resource can be called: %s", entry.Name(), name, r.Command())
			}
			return true
		})
	}
	if declared == 0 {
		t.Error("no declarations found")
	}
}
