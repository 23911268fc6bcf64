package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shop is the project of the README: two small resources and one that has a
// field of many a kind.
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

func TestShopIsCleanAndPasses(t *testing.T) {
	t.Parallel()
	p := shop(t)
	p.clean()
	p.test() // the guide's run with -race, see TestGuidePasses
	for _, system := range []string{"windows", "darwin"} {
		t.Run(system, func(t *testing.T) {
			cmd := p
			cmd.t = t
			cmd.env = []string{"GOOS=" + system, "CGO_ENABLED=0"}
			cmd.run("go", "vet", "./...")
		})
	}
}

// TestNoQuotingIsNeeded looks at what the tool tells people to type.
func TestNoQuotingIsNeeded(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	lines := []string{strings.Join(product, " ")}
	for _, help := range [][]string{{"--help"}, {"new", "--help"}, {"add", "--help"}, {"add", "resource", "--help"}, {"add", "model", "--help"}} {
		for line := range strings.Lines(p.nexios(help...)) {
			if strings.HasPrefix(line, "  nexios ") {
				command, _, _ := strings.Cut(line, " #")
				command, _, _ = strings.Cut(strings.TrimSpace(command), "  ") // what a topic is about
				lines = append(lines, strings.TrimSuffix(strings.TrimSpace(command), "\\"))
			}
		}
	}
	for _, line := range lines {
		if strings.ContainsAny(line, "!?^(){}|*&;,<>'\"$`") {
			t.Errorf("this line needs quotes in some shell: %s", line)
		}
	}
}

func TestAddingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	p := shop(t)
	before := p.tree()
	out := p.nexios(product...)
	if !strings.Contains(out, "identical") || !strings.Contains(out, "nothing to do") {
		t.Errorf("it does not say that all is there:\n%s", out)
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

// TestOutputIsStable makes the same project twice.
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

	// Edits of other files meanwhile stay.
	p.nexios("add", "resource", "tag", "name:string:unique")
	edited := filepath.Join("internal", "categories", "categories.go")
	p.append(edited, "\n// the owner's line\n")
	p.nexios("undo")
	before["internal/categories/categories.go"] += "\n// the owner's line\n"
	sameTree(t, before, p.tree())

	// An edit of a file of the step is named, and nothing happens.
	p.nexios("add", "resource", "tag", "name:string:unique")
	p.append(filepath.Join("internal", "tags", "tags.go"), "\n// the owner's line\n")
	before = p.tree()
	out, code := p.try(tool, "undo")
	if code != 3 || !strings.Contains(out, "internal/tags/tags.go") {
		t.Errorf("exit %d, and it does not name the file:\n%s", code, out)
	}
	sameTree(t, before, p.tree())
}

// TestOwnersEditsSurvive adds to files that their owner has rewritten.
func TestOwnersEditsSurvive(t *testing.T) {
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
			t.Errorf("%q is not there once:\n%s", want, text)
		}
	}
	p.run("go", "build", "./...")
}

func sameTree(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name, text := range want {
		if other, ok := got[name]; !ok {
			t.Errorf("%s is gone", name)
		} else if other != text {
			t.Errorf("%s is another", name)
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
