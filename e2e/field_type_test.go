package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAddFieldType adds the field type money as a contributor would: one file in the
// engine, one in the runtime, and a row in the table. All layers support it then: help,
// model, bodies, filters, migration, OpenAPI and tests.
func TestAddFieldType(t *testing.T) {
	t.Parallel()
	p := project{t: t, dir: t.TempDir()}
	money := filepath.Join(p.dir, filepath.Base(tool))
	buildWithMoney(t, money)

	p.run(money, "new", "shop", "--no-git")
	p.dir = filepath.Join(p.dir, "shop")
	p.run(money, "add", "auth")
	p.run(money, "add", "resource", "item", "name:string:search", "price:money:min=0.50:max=999.99:filter:sort",
		"cost:money:optional:default=-1.25", "limit:money:unique:index", "least:money:private:default=3", "seen:money:readonly:optional:default=2.5", "steps:money:array:optional", "--owner")
	p.run(money, "add", "field", "item", "bonus:money:default=1.05:sort:filter")
	p.clean()
	p.test("items")

	var document struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]map[string]any }
		}
		Paths map[string]map[string]struct{ Parameters []struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(p.run("go", "run", ".", "openapi")), &document); err != nil {
		t.Fatal(err)
	}
	price := document.Components.Schemas["Item"].Properties["price"]
	if price["type"] != "string" || !strings.Contains(price["pattern"].(string), "{1,2}") {
		t.Errorf("the schema of price is %v", price)
	}
	var filters int
	for _, parameter := range document.Paths["/api/v1/items"]["get"].Parameters {
		if strings.HasPrefix(parameter.Name, "price") {
			filters++
		}
	}
	if filters != 3 {
		t.Errorf("%d parameters filter by the price, not 3", filters)
	}
	out, code := p.try(money, "add", "resource", "broken", "price:money:min=cheap")
	if code == 0 || !strings.Contains(out, "is not an amount such as 12.50") {
		t.Errorf("exit %d for an invalid minimum:\n%s", code, out)
	}
}

// buildWithMoney builds the tool with the files of testdata/money added.
func buildWithMoney(t *testing.T, to string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// Reading the files here makes Go's test cache depend on them.
	add := func(name, from string, change func(string) string) (at, copied string) {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		copied = filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(copied, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(root, filepath.FromSlash(name)), copied
	}
	same := func(text string) string { return text }
	replace := map[string]string{}
	for name, from := range map[string]string{
		"scaffold/spec/money.go": "testdata/money/engine.go",
		"runtime/db/money.go":    "testdata/money/runtime.go",
	} {
		at, copied := add(name, from, same)
		replace[at] = copied
	}
	at, copied := add("scaffold/spec/types.go", "../scaffold/spec/types.go", func(text string) string {
		const first = "\treturn []Type{\n"
		if !strings.Contains(text, first) {
			t.Fatal("the table of field types was not found")
		}
		return strings.Replace(text, first, first+"\t\tmoney(),\n", 1)
	})
	replace[at] = copied
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", list, "-o", to, "./cmd/nexios")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the tool does not build: %v\n%s", err, out)
	}
}
