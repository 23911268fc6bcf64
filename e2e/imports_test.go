package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const toolkit = "github.com/nexios-go/nexios"

// rules say what a package may import of ours and of the named libraries. They
// speak of what is shipped; tests may reach further.
var rules = []struct {
	name  string
	of    func(pkg string) bool // packages the rule is for
	never func(path string) bool
}{
	{"the runtime knows nothing of the toolkit", in("runtime"), func(path string) bool {
		return ours(path) && !in("runtime")(path)
	}},
	{"the database knows no web", in("runtime/db"), func(path string) bool {
		return strings.HasPrefix(path, "github.com/gin-gonic/") || in("runtime/web")(path)
	}},
	{"the engine knows neither templates nor commands", in("scaffold"), func(path string) bool {
		return in("templates")(path) || in("cmd")(path) || in("runtime")(path)
	}},
	{"templates know no commands", in("templates"), in("cmd")},
	{"only scaffold/apply touches the system", func(pkg string) bool {
		return in("scaffold")(pkg) && pkg != toolkit+"/scaffold/apply"
	}, anyOf("os", "os/exec", "path/filepath", "net", "syscall")},
	{"gin, gorm and jwt stay in the runtime and in generated code", func(pkg string) bool {
		return (in("cmd")(pkg) || in("scaffold")(pkg) || in("templates")(pkg)) && !strings.Contains(pkg, "/files")
	}, func(path string) bool {
		return strings.HasPrefix(path, "github.com/gin-gonic/") || strings.HasPrefix(path, "gorm.io/") || strings.HasPrefix(path, "github.com/golang-jwt/")
	}},
	{"the dev server builds without its proxy", in("cmd/nexios/reload/build"), in("cmd/nexios/reload/proxy")},
	{"the dev server's proxy knows no builds", in("cmd/nexios/reload/proxy"), in("cmd/nexios/reload/build")},
	{"the dev server's processes know neither", in("cmd/nexios/reload/process"), func(path string) bool {
		return in("cmd/nexios/reload/build")(path) || in("cmd/nexios/reload/proxy")(path)
	}},
	{"cobra and the terminal stay in cmd", func(pkg string) bool { return !in("cmd")(pkg) && !in("e2e")(pkg) }, func(path string) bool {
		return strings.HasPrefix(path, "github.com/spf13/") || strings.HasPrefix(path, "github.com/charmbracelet/")
	}},
}

func in(folder string) func(string) bool {
	root := toolkit + "/" + folder
	return func(path string) bool { return path == root || strings.HasPrefix(path, root+"/") }
}

func ours(path string) bool { return path == toolkit || strings.HasPrefix(path, toolkit+"/") }

func anyOf(paths ...string) func(string) bool {
	return func(path string) bool {
		for _, p := range paths {
			if p == path {
				return true
			}
		}
		return false
	}
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); err != nil {
			t.Fatal(err)
		}
		for _, rule := range rules {
			if !rule.of(pkg.ImportPath) {
				continue
			}
			seen[rule.name] = true
			for _, path := range pkg.Imports {
				if rule.never(path) {
					t.Errorf("%s imports %s: %s", pkg.ImportPath, path, rule.name)
				}
			}
		}
	}
	for _, rule := range rules {
		if !seen[rule.name] {
			t.Errorf("no package falls under the rule %q: is its folder still called so?", rule.name)
		}
	}
}
