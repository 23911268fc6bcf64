package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const toolkit = "github.com/nexios-go/nexios"

// rules restrict which of our packages and of the named libraries a package may import,
// excluding its tests.
var rules = []struct {
	name  string
	of    func(pkg string) bool // packages that the rule applies to
	never func(path string) bool
}{
	{"the runtime does not import the toolkit", in("runtime"), func(path string) bool {
		return ours(path) && !in("runtime")(path)
	}},
	{"runtime/db does not depend on the web", in("runtime/db"), func(path string) bool {
		return strings.HasPrefix(path, "github.com/gin-gonic/") || in("runtime/web")(path)
	}},
	{"the engine imports neither templates nor commands", in("scaffold"), func(path string) bool {
		return in("templates")(path) || in("cmd")(path) || in("runtime")(path)
	}},
	{"templates do not import commands", in("templates"), in("cmd")},
	{"only scaffold/apply touches the system", func(pkg string) bool {
		return in("scaffold")(pkg) && pkg != toolkit+"/scaffold/apply"
	}, anyOf("os", "os/exec", "path/filepath", "net", "syscall")},
	{"gin, gorm and jwt stay in the runtime and in generated code", func(pkg string) bool {
		return (in("cmd")(pkg) || in("scaffold")(pkg) || in("templates")(pkg)) && !strings.Contains(pkg, "/files")
	}, func(path string) bool {
		return strings.HasPrefix(path, "github.com/gin-gonic/") || strings.HasPrefix(path, "gorm.io/") || strings.HasPrefix(path, "github.com/golang-jwt/")
	}},
	{"the builds of the dev server do not import its proxy", in("cmd/nexios/reload/build"), in("cmd/nexios/reload/proxy")},
	{"the proxy of the dev server does not import its builds", in("cmd/nexios/reload/proxy"), in("cmd/nexios/reload/build")},
	{"the processes of the dev server import neither", in("cmd/nexios/reload/process"), func(path string) bool {
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
			t.Errorf("no package matches the rule %q: was its folder renamed?", rule.name)
		}
	}
}
