// Package e2e tests nexios from outside: the built tool, the projects it
// makes, real databases, a real browser.
package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/e2e/testprogram"
)

var update = flag.Bool("update", false, "rewrite the golden project")

// Built once: nexios, and the linter of generated code.
var tool, linter string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withTool(m))
}

func withTool(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nexios-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Projects are built without a network (see try), so download all modules first: on a
	// new machine the cache has only those compiled so far.
	download := exec.Command("go", "mod", "download")
	download.Dir = ".."
	if out, err := download.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the modules cannot be downloaded: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("NEXIOS_CHECK", "off"); err != nil { // the tests build themselves
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tool = filepath.Join(dir, "nexios")
	if runtime.GOOS == "windows" {
		tool += ".exe"
	}
	build := exec.Command("go", "build", "-o", tool, "./cmd/nexios")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the tool does not build: %v\n%s", err, out)
		return 1
	}
	linter = filepath.Join(dir, "staticcheck")
	install := exec.Command("go", "install", "honnef.co/go/tools/cmd/staticcheck@v0.8.2")
	install.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := install.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "staticcheck cannot be installed: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// project is a generated project in a temporary folder.
type project struct {
	t   testing.TB
	dir string
	env []string // in addition to the test's own environment
}

// newProject creates a project with `nexios new`.
func newProject(t testing.TB, name string, flags ...string) project {
	t.Helper()
	return project{t: t}.new(name, flags...)
}

// new creates a project in a temporary folder, with p's environment.
func (p project) new(name string, flags ...string) project {
	p.t.Helper()
	// Go caches the result of a test while the folders that it read are unchanged; this
	// package imports the other sources of the tool.
	if err := filepath.WalkDir("../cmd", func(_ string, _ os.DirEntry, err error) error { return err }); err != nil {
		p.t.Fatal(err)
	}
	p.dir = p.t.TempDir()
	p.nexios(append([]string{"new", name, "--no-git"}, flags...)...)
	p.dir = filepath.Join(p.dir, name)
	return p
}

// nexios runs the tool in the project and fails the test unless it succeeds.
func (p project) nexios(args ...string) string {
	p.t.Helper()
	return p.run(tool, args...)
}

// run runs a program in the project and fails the test unless it succeeds.
func (p project) run(name string, args ...string) string {
	p.t.Helper()
	out, code := p.try(name, args...)
	if code != 0 {
		p.t.Fatalf("%s %s: exit %d\n%s", filepath.Base(name), strings.Join(args, " "), code, out)
	}
	return out
}

// try runs a program in the project and returns its output and exit code.
func (p project) try(name string, args ...string) (string, int) {
	p.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = p.dir, p.environment()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// environment returns the environment of commands in the project. They have no network:
// the cache has everything that a new project needs. Builds do not depend on the folder,
// and all migrations have the same timestamp, so all projects share one build cache.
func (p project) environment() []string {
	return append(append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly -trimpath -ldflags=-s -vet=off", "GOWORK=off",
		"SOURCE_DATE_EPOCH=1795256100"), p.env...) // 2026-11-21, later than the runtime's migrations
}

// test runs the tests of the named packages below internal, or of the complete project.
func (p project) test(packages ...string) {
	p.t.Helper()
	program := filepath.Join(p.t.TempDir(), "all.test")
	joined, err := testprogram.Build(p.dir, program, p.environment(), packages...)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(joined) > 0 {
		p.run(program)
	}
	rest := []string{}
	for _, name := range packages {
		if !slices.Contains(joined, name) {
			rest = append(rest, "./internal/"+name)
		}
	}
	if len(packages) == 0 {
		for path := range strings.FieldsSeq(p.run("go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}", "./...")) {
			if !slices.Contains(joined, filepath.Base(path)) {
				rest = append(rest, path)
			}
		}
	}
	if len(rest) > 0 {
		p.run("go", append([]string{"test"}, rest...)...)
	}
}

// clean builds, vets and checks the format of a project.
func (p project) clean() {
	p.t.Helper()
	p.run("go", "build", "./...")
	p.run("go", "vet", "./...")
	if out := p.run("gofmt", "-l", "."); out != "" {
		p.t.Errorf("not formatted:\n%s", out)
	}
	p.run(linter, "./...")
}

// tree returns every file of the project except those of git and of the build.
func (p project) tree() map[string]string {
	p.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(p.dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == ".git" || entry.Name() == "tmp" || entry.Name() == "data" && filepath.Dir(name) == p.dir {
				return filepath.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.dir, name)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return files
}
