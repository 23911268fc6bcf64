package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/nexios-go/nexios/runtime"
)

// TestPublishedRuntime builds a generated project against the module as published, over a
// module proxy with this checkout, instead of its own copy: the code is identical. All
// other modules come from this machine's module cache, as for users: the module graph of a
// published runtime has more modules than the copy needs.
func TestPublishedRuntime(t *testing.T) {
	t.Parallel()
	p := newProject(t, "shop")
	p.nexios("add", "resource", "tag", "name:string:unique")
	code := p.tree()

	// A unique version, since it is in the shared cache for a while: with a separate cache
	// the test would compile every module again.
	version := module.Version{Path: toolkit, Version: fmt.Sprintf("v%s-e2e.%d", runtime.Version, os.Getpid())}
	proxy := filepath.Join(t.TempDir(), "proxy")
	dir := filepath.Join(proxy, filepath.FromSlash(toolkit), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(dir, version.Version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := zip.CreateFromDir(archive, version, ".."); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"list":                    version.Version + "\n",
		version.Version + ".mod":  string(gomod),
		version.Version + ".info": `{"Version":"` + version.Version + `"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	out, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, others, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	p.env = []string{
		"GOPROXY=file://" + filepath.ToSlash(proxy) + "," + others,
		"GONOSUMDB=" + toolkit, "GOFLAGS=-mod=mod -modcacherw -trimpath -ldflags=-s -vet=off", // the checksum database does not have the checkout
	}
	t.Cleanup(func() {
		left, _ := filepath.Glob(filepath.Join(cache, "cache", "download", filepath.FromSlash(toolkit), "@v", version.Version+".*"))
		for _, name := range append(left, filepath.Join(cache, filepath.FromSlash(toolkit)+"@"+version.Version)) {
			os.RemoveAll(name)
		}
	})
	for _, own := range []string{"runtime", "go.mod"} {
		if err := os.RemoveAll(filepath.Join(p.dir, ".nexios", own)); err != nil {
			t.Fatal(err)
		}
	}
	p.run("go", "mod", "edit", "-dropreplace="+toolkit, "-require="+version.String())
	p.run("go", "mod", "tidy")
	p.run("go", "build", "./...")
	p.test()
	if list := p.run("go", "list", "-m", toolkit); !strings.Contains(list, version.Version) {
		t.Errorf("built against %s", list)
	}
	for name, text := range p.tree() {
		if was, ok := code[name]; ok && was != text && name != "go.mod" && name != "go.sum" {
			t.Errorf("%s differs", name)
		}
	}
}
