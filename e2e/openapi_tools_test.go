package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/e2e/services"
	clients "github.com/nexios-go/nexios/scaffold/client"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// thingFields are the fields of a resource with every type and relation.
var thingFields = []string{
	"title:string:min=3:search:sort:filter", "body:text", "stars:int:min=1:max=9:filter:default=2", "views:bigint:filter:optional",
	"ratio:float:filter:min=0", "price:decimal=10.2:min=0:filter", "discount:decimal:optional:sort", "flag:bool:filter:optional",
	"due:date:filter", "begins:datetime:filter:optional", "opens:time:filter", "took:duration:filter:min=1m", "token:uuid:filter",
	"mail:email:filter:unique", "site:url:optional", "path:slug:unique", "extra:json", "blob:bytes:max=100", "thumb:bytes:optional",
	"state:enum=draft/live:filter:default=draft", "mood:enum=good/bad:optional:filter", "hidden:string:secret",
	"plate:string:pattern=^[A-Z]{2}-(?i)[a-z]+$:optional", "origin:string:immutable", "names:string:array:max=5", "sizes:int:array:optional",
	"tag:ref=tags:optional:filter", "boss:ref=things:optional:ondelete=null", "tags:many=tags", "picture:file:optional", "code:string:len=4:optional",
}

// TestOpenAPITools checks the documents of the guide, and of a project with every type and
// relation, with common tools: linters find no errors, and generated clients compile. The
// tools are pinned in testdata/openapi and cached in the user's cache folder.
func TestOpenAPITools(t *testing.T) {
	if testing.Short() {
		t.Skip("installs and runs npm packages")
	}
	tools := openAPITools(t)
	for _, row := range spec.Types() {
		if row.Name != "has" && !strings.Contains(strings.Join(thingFields, " ")+" ", ":"+row.Name) {
			t.Errorf("no field of type %s", row.Name)
		}
	}
	zoo := newProject(t, "zoo")
	zoo.nexios("add", "auth")
	zoo.nexios("add", "uploads")
	zoo.nexios("add", "websocket", "chat")
	zoo.nexios("add", "resource", "tag", "name:string:unique")
	zoo.nexios(append([]string{"add", "resource", "thing"}, thingFields...)...)
	zoo.nexios("add", "resource", "child", "name:string", "thing:ref=things", "--uuid", "--soft-delete", "--owner")
	zoo.nexios("add", "field", "thing", "children:has=children")
	zoo.run("go", "build", "-o", "zoo.exe", ".")
	guide, err := guideBinary()
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	documents := map[string]string{}
	for name, program := range map[string]string{"guide": guide, "zoo": filepath.Join(zoo.dir, "zoo.exe")} {
		at := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		document, err := exec.Command(program, "openapi").Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(at, "openapi.json"), document, 0o644); err != nil {
			t.Fatal(err)
		}
		documents[name] = at
		module, err := clients.TypeScript(document)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, "client.ts"), module, 0o644); err != nil {
			t.Fatal(err)
		}
		sources = append(sources, append(tools.typescript(t, name, at), filepath.Join(at, "client.ts"))...)
		tools.golang(t, name, document)
	}
	strictRules(t, tools, documents)
	began := time.Now()
	out, err := tools.run(tools.dir, "tsc", append([]string{"--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext",
		"--moduleResolution", "bundler", "--lib", "es2022,dom,dom.iterable", "--typeRoots", filepath.Join(tools.dir, "node_modules", "@types"), "--types", "node"}, sources...)...)
	if err != nil {
		t.Errorf("tsc --strict: %v\n%s", err, head(out))
	}
	t.Logf("%-6s %-20s %4.1f s", "both", "tsc --strict", time.Since(began).Seconds())
}

// npmTools is a folder with the npm packages of testdata/openapi.
type npmTools struct{ dir string }

// openAPITools installs the packages unless they are cached.
func openAPITools(t *testing.T) npmTools {
	t.Helper()
	return npmTools{services.NPM(t, "testdata/openapi")}
}

// run runs a program of the packages in a folder and returns its output.
func (n npmTools) run(in, program string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(n.dir, "node_modules", ".bin", program), args...)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "CI=1", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// typescript lints the document in a folder, generates clients of it in the same folder,
// and returns their files.
func (n npmTools) typescript(t *testing.T, name, at string) []string {
	t.Helper()
	for _, step := range [][]string{
		{"redocly", "lint", "--config", filepath.Join(n.dir, "redocly-lint.yaml"), "--format=json", "openapi.json"},
		{"spectral", "lint", "-r", filepath.Join(n.dir, "spectral.yaml"), "--fail-severity", "error", "openapi.json"},
		{"openapi-typescript", "openapi.json", "-o", "types.ts"},
		{"openapi-ts", "-i", "openapi.json", "-o", "hey", "-c", "@hey-api/client-fetch"},
		{"orval", "--client", "fetch", "--input", "openapi.json", "--output", "orval.ts"},
		{"openapi-zod-client", "openapi.json", "-o", "zod.ts"},
	} {
		began := time.Now()
		out, err := n.run(at, step[0], step[1:]...)
		if err != nil {
			t.Errorf("%s: %s: %v\n%s", name, step[0], err, head(out))
		}
		t.Logf("%-6s %-20s %4.1f s%s", name, step[0], time.Since(began).Seconds(), warnings(step[0], out))
	}
	// Generated code imports the packages.
	if err := os.Symlink(filepath.Join(n.dir, "node_modules"), filepath.Join(at, "node_modules")); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, file := range []string{"types.ts", "hey/index.ts", "orval.ts", "zod.ts"} {
		files = append(files, filepath.Join(at, file))
	}
	return files
}

// golang generates a Go client by oapi-codegen and vets it.
func (n npmTools) golang(t *testing.T, name string, document []byte) {
	t.Helper()
	began := time.Now()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/openapi")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openapi.json"), document, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, step := range [][]string{
		{"tool", "oapi-codegen", "-generate", "types,client", "-package", "client", "-o", "client.go", "openapi.json"},
		{"vet", "."},
	} {
		cmd := exec.Command("go", step...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: oapi-codegen: go %s: %v\n%s", name, step[0], err, head(string(out)))
			return
		}
	}
	t.Logf("%-6s %-20s %4.1f s", name, "oapi-codegen, vet", time.Since(began).Seconds())
}

// warnings returns the number of warnings of a linter, which are not failures: a route
// that returns 101 has no 2xx, and one without input no 4xx.
func warnings(tool, out string) string {
	switch tool {
	case "spectral":
		if line := strings.TrimSpace(out); line != "" && strings.Contains(line, "problem") {
			return "  " + strings.TrimSpace(line[strings.LastIndex(line, "\n")+1:])
		}
	case "redocly":
		var report struct {
			Totals struct{ Errors, Warnings int }
		}
		if at := strings.Index(out, "{"); at >= 0 && json.NewDecoder(strings.NewReader(out[at:])).Decode(&report) == nil {
			return fmt.Sprintf("  %d errors, %d warnings", report.Totals.Errors, report.Totals.Warnings)
		}
	}
	return ""
}

// head returns the beginning of a tool's output.
func head(out string) string { return out[:min(len(out), 3000)] }
