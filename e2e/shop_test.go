package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shop is the project of the README: two small resources and one with many kinds of
// fields.
func shop(t testing.TB) project {
	t.Helper()
	p := newProject(t, "shop")
	p.nexios("add", "resource", "category", "name:string:unique")
	p.nexios("add", "resource", "tag", "name:string:unique")
	p.nexios(product...)
	return p
}

var product = strings.Fields("add resource product name:string:min=2 price:decimal=10.2:min=0 status:enum=draft/live:default=draft:filter " +
	"sku:string:unique released:date:optional category:ref=categories:filter tags:many=tags")

func TestShop(t *testing.T) {
	t.Parallel()
	p := shop(t)
	p.clean()
	p.test() // the guide's tests run with -race, see TestGuidePasses
	for _, system := range []string{"windows", "darwin"} {
		t.Run(system, func(t *testing.T) {
			cmd := p
			cmd.t = t
			cmd.env = []string{"GOOS=" + system, "CGO_ENABLED=0"}
			cmd.run("go", "vet", "./...")
		})
	}
}

// TestNoQuotingIsNeeded checks the commands in help texts.
func TestNoQuotingIsNeeded(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	lines := []string{strings.Join(product, " ")}
	for _, help := range [][]string{{"--help"}, {"new", "--help"}, {"add", "--help"}, {"add", "resource", "--help"}, {"add", "model", "--help"}} {
		for line := range strings.Lines(p.nexios(help...)) {
			if strings.HasPrefix(line, "  nexios ") {
				command, _, _ := strings.Cut(line, " #")
				command, _, _ = strings.Cut(strings.TrimSpace(command), "  ") // without the description
				lines = append(lines, strings.TrimSuffix(strings.TrimSpace(command), "\\"))
			}
		}
	}
	for _, line := range lines {
		if strings.ContainsAny(line, "!?^(){}|*&;,<>'\"$`") {
			t.Errorf("this command needs quotes in some shell: %s", line)
		}
	}
}

func TestAddIsIdempotent(t *testing.T) {
	t.Parallel()
	p := shop(t)
	before := p.tree()
	out := p.nexios(product...)
	if !strings.Contains(out, "identical") || !strings.Contains(out, "nothing to do") {
		t.Errorf("no message that nothing changed:\n%s", out)
	}
	sameTree(t, before, p.tree())
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	p := shop(t)
	before := p.tree()
	p.nexios("add", "resource", "order", "number:int", "--dry-run")
	p.nexios("add", "resource", "order", "number:int", "--dry-run", "--diff")
	out := p.nexios("add", "resource", "order", "number:int", "--dry-run", "--json")
	var result struct {
		Applied bool
		Plan    struct {
			Ops []struct{ Kind, Path string }
		}
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.Applied || len(result.Plan.Ops) < 6 {
		t.Errorf("not a plan: %v\n%s", err, out)
	}
	sameTree(t, before, p.tree())
}

// TestOutputIsStable generates the same project twice.
func TestOutputIsStable(t *testing.T) {
	t.Parallel()
	sameTree(t, settled(shop(t)), settled(shop(t)))
}

func TestUndo(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.nexios("add", "resource", "category", "name:string:unique")
	before := p.tree()
	p.nexios("add", "resource", "tag", "name:string:unique")
	p.nexios("undo")
	sameTree(t, before, p.tree())

	// Concurrent edits of other files stay.
	p.nexios("add", "resource", "tag", "name:string:unique")
	edited := filepath.Join("internal", "categories", "categories.go")
	p.append(edited, "\n// the owner's line\n")
	p.nexios("undo")
	before["internal/categories/categories.go"] += "\n// the owner's line\n"
	sameTree(t, before, p.tree())

	// An edited file of the step is an error that names it, and nothing changes.
	p.nexios("add", "resource", "tag", "name:string:unique")
	p.append(filepath.Join("internal", "tags", "tags.go"), "\n// the owner's line\n")
	before = p.tree()
	out, code := p.try(tool, "undo")
	if code != 3 || !strings.Contains(out, "internal/tags/tags.go") {
		t.Errorf("exit %d without the file's name:\n%s", code, out)
	}
	sameTree(t, before, p.tree())
}

// TestEditsSurvive adds to files that the developer has rewritten.
func TestEditsSurvive(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.nexios("add", "resource", "category", "name:string:unique")
	modules := filepath.Join("internal", "app", "modules.go")
	text := p.read(modules)
	p.write(modules, strings.Replace(text, "\t\tcategories.Module(gdb).Under(api),\n", "\t\t// ours\n\t\tcategories.Module( gdb ).Under(api), // first\n", 1))
	p.nexios("add", "resource", "tag", "name:string:unique")
	text = p.read(modules)
	for _, want := range []string{"// ours", "categories.Module( gdb ).Under(api), // first", "tags.Module(gdb).Under(api),"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("not exactly one %q:\n%s", want, text)
		}
	}
	p.run("go", "build", "./...")
}

func sameTree(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name, text := range want {
		if other, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if other != text {
			t.Errorf("%s differs", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok && !strings.HasPrefix(name, ".nexios/undo") {
			t.Errorf("%s is new", name)
		}
	}
}

func (p project) read(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p project) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p project) append(name, text string) {
	p.t.Helper()
	p.write(name, p.read(name)+text)
}
