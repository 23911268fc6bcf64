package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/nexios-go/nexios/runtime/db"
)

// TestMCP has a client of the Model Context Protocol read a project, view a plan, apply
// it, run the generated tests, and undo it.
func TestMCP(t *testing.T) {
	p := project{t: t, dir: filepath.Join(t.TempDir(), "shop")}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "mcp")
	cmd.Dir = p.dir
	cmd.Env = append(cmd.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly -trimpath -ldflags=-s", "GOWORK=off")
	agent, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	try := func(name string, arguments map[string]any) (string, bool) {
		t.Helper()
		result, err := agent.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, ok := result.Content[0].(*mcp.TextContent)
		if !ok {
			t.Fatalf("%s answers %T", name, result.Content[0])
		}
		return text.Text, !result.IsError
	}
	call := func(name string, arguments map[string]any, wants ...string) string {
		t.Helper()
		text, ok := try(name, arguments)
		if !ok {
			t.Fatalf("%s: %s", name, text)
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s %v lacks %q:\n%s", name, arguments, want, text)
			}
		}
		return text
	}
	refused := func(name string, arguments map[string]any, want string) {
		t.Helper()
		if text, ok := try(name, arguments); ok || !strings.Contains(text, want) {
			t.Errorf("%s %v: no error %q:\n%s", name, arguments, want, text)
		}
	}
	var before map[string]string
	unchanged := func(when string) {
		t.Helper()
		after := p.tree()
		for name, text := range after {
			if !strings.HasPrefix(name, ".nexios/undo/") && before[name] != text {
				t.Errorf("%s: %s differs", when, name)
			}
		}
		for name := range before {
			if _, ok := after[name]; !ok {
				t.Errorf("%s: %s is missing", when, name)
			}
		}
	}
	id := regexp.MustCompile(`(?m)^plan: (\S+)$`)
	made := map[string]bool{}
	plan := func(words ...string) map[string]any {
		t.Helper()
		text := call("plan", map[string]any{"words": words})
		unchanged("a plan was shown")
		found := id.FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("plan without id:\n%s", text)
		}
		if made[found[1]] {
			t.Errorf("two plans have the id %s", found[1])
		}
		made[found[1]] = true
		return map[string]any{"plan": found[1]}
	}

	tools, err := agent.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range tools.Tools {
		names = append(names, one.Name)
	}
	if got := strings.Join(names, " "); got != "apply dev docs openapi plan routes schema test undo" {
		t.Errorf("tools: %s", got)
	}
	refused("schema", nil, "this is not a nexios project")
	p.nexios("new", "shop", "--dir", ".", "--no-git")
	before = p.tree()
	call("schema", nil, `"name": "shop"`, "modifiers")
	call("docs", map[string]any{"query": "undo last command"}, "# nexios help undo")
	call("docs", map[string]any{"query": "how do I write an endpoint by hand"}, "# nexios help endpoints")
	call("docs", map[string]any{"query": "what is the type of a money field: decimal"}, "an exact decimal")
	call("docs", map[string]any{"query": "db.FindWritable"}, "# go doc db.FindWritable\nfunc FindWritable[T any](", "403 fault")
	call("docs", map[string]any{"query": "conflict"}, "# nexios help ", "# go doc fault.Conflict")
	refused("docs", map[string]any{"query": "xyzzy"}, "no documentation found")
	refused("plan", map[string]any{"words": []string{"add", "resource", "post", "title:strin"}}, `unknown type "strin"`)
	refused("plan", map[string]any{"words": []string{"dev"}}, "a plan begins with one of")
	refused("plan", map[string]any{"words": []string{"undo", "--dir=/"}}, "leave out")
	refused("plan", map[string]any{"words": []string{"adopt", "--check"}}, "leave out")
	refused("plan", map[string]any{"words": []string{"adopt", "legacy"}}, "there is no database file")
	refused("plan", map[string]any{"words": []string{"rename", "field", "post.title", "name"}}, "post")
	refused("dev", nil, "nexios dev is not running")
	refused("apply", map[string]any{"plan": "plan-9"}, "there is no plan")
	refused("test", map[string]any{"packages": "-exec=rm"}, "not a package of this project")

	words := []string{"add", "resource", "product", "name:string:min=2", "price:decimal:min=0"}
	call("plan", map[string]any{"words": words, "diff": true}, "+// Product is a row of the table products.")
	stale, fresh := plan("add", "resource", "tag", "name:string"), plan(words...)
	call("apply", plan("nexios add redis"), "update     internal/app/modules.go")
	call("apply", map[string]any{"plan": id.FindStringSubmatch(call("undo", nil))[1]}, "undone")
	plan("add", "metrics")
	call("apply", fresh, "create     internal/products/products_test.go")
	refused("apply", fresh, "there is no plan")
	refused("apply", stale, "the project has changed")
	call("test", map[string]any{"packages": "./internal/products"}, "ok  \tshop/internal/products")
	call("routes", nil, "/api/v1/products/:id")
	call("openapi", nil, "/api/v1/products POST  createProduct: Create a product")
	call("openapi", map[string]any{"path": "/api/v1/products"}, `"operationId": "listProducts"`)

	text := call("plan", map[string]any{"words": []string{"client", "ts", "--out", "web/api.ts"}}, "create     web/api.ts")
	if _, ok := p.tree()["web/api.ts"]; ok {
		t.Error("viewing a plan wrote the client")
	}
	call("apply", map[string]any{"plan": id.FindStringSubmatch(text)[1]}, "create     web/api.ts")
	if !strings.Contains(p.read("web/api.ts"), "createProduct(") {
		t.Error("the client has no createProduct")
	}
	call("apply", map[string]any{"plan": id.FindStringSubmatch(call("undo", nil, "web/api.ts"))[1]}, "undone")

	text = call("undo", nil, "delete     internal/products/products.go")
	call("apply", map[string]any{"plan": id.FindStringSubmatch(text)[1]}, "undone")
	unchanged("it was taken back")

	// Existing tables: the catalog is read, and the baseline is marked only when a plan
	// with it is applied.
	legacy := "sqlite:" + filepath.Join(p.dir, "data", "shop.db")
	gdb, err := db.Open(legacy, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := gdb.Exec("CREATE TABLE parts (id integer PRIMARY KEY, name text NOT NULL)").Error; err != nil {
		t.Fatal(err)
	}
	marked := func() (n int64) {
		t.Helper()
		if gdb.Migrator().HasTable("schema_migrations") {
			if err := gdb.Table("schema_migrations").Where("id LIKE ?", "%baseline").Count(&n).Error; err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	text = call("plan", map[string]any{"words": []string{"adopt", "parts"}}, "create     internal/parts/parts.go", "is also marked as applied in the database")
	if unchanged("a plan to adopt was shown"); marked() != 0 {
		t.Error("viewing a plan marked the baseline")
	}
	call("apply", map[string]any{"plan": id.FindStringSubmatch(text)[1]}, "create     internal/parts/parts.go", "is marked as applied")
	if marked() != 1 {
		t.Error("the baseline is not marked")
	}
	call("apply", map[string]any{"plan": id.FindStringSubmatch(call("undo", nil, "internal/parts/parts.go"))[1]}, "undone")
	unchanged("what was adopted was taken back")
	if err := errors.Join(gdb.Exec("DROP TABLE parts").Error, gdb.Exec("DROP TABLE schema_migrations").Error, db.Close(gdb)); err != nil {
		t.Fatal(err)
	}

	d := p.dev()
	d.client().get("/nothing").want(404)
	d.request("GET", "/nothing")
	call("dev", nil, `"url": "`+d.url+`"`, `"path": "/nothing"`, `"status": 404`)
	p.env = append(p.env, "ADDR="+strings.TrimPrefix(d.url, "http://"))
	if out := p.nexios("doctor"); !strings.Contains(out, "is served by nexios dev of this project") {
		t.Errorf("doctor:\n%s", out)
	}
	p.write("main.go", p.read("main.go")+"\nvar broken = nothing\n")
	d.wait("a failed build", func(e devEvent) bool { return e.Event == "failed" })
	call("dev", nil, `"failed": true`, "undefined: nothing")
}
