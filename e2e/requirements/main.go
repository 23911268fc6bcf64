// Requirements writes templates/project/requirements.json: what go.mod and
// go.sum of a generated project need for each package that it may import. It
// asks the go command, for every system that generated projects run on.
//
//	go run ./e2e/requirements
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/scaffold"
)

const (
	runtimePath = "github.com/nexios-go/nexios/runtime"
	target      = "templates/project/requirements.json"
)

func main() {
	text, err := compute(".")
	if err == nil {
		err = os.WriteFile(target, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// compute returns the text of requirements.json for the repository with the given root.
func compute(root string) ([]byte, error) {
	r := scaffold.Requirements{Packages: map[string][]string{}, Modules: map[string]scaffold.Module{}}
	versions := map[string]string{}
	for _, b := range builds() {
		if err := addLinked(root, b, r.Packages, versions); err != nil {
			return nil, err
		}
	}
	direct, err := importedByTemplates(root, versions)
	if err != nil {
		return nil, err
	}
	sums, err := readSums(filepath.Join(root, "go.sum"))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, module := range direct {
		used[module] = true
	}
	for _, modules := range r.Packages {
		for _, module := range modules {
			used[module] = true
		}
	}
	for module := range used {
		r.Modules[module] = scaffold.Module{Version: versions[module], Sums: sums[module+" "+versions[module]]}
	}
	if r.Go, r.Graph, err = graph(root, r); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(r, "", " ")
	return append(text, '\n'), err
}

type listed struct {
	ImportPath string
	Deps       []string
	Module     *struct {
		Path, Version string
		Main          bool
	}
}

// build is a configuration to build a project in.
type build struct{ system, cgo, tags string }

// builds returns the configurations in which projects are built, including those with
// additional dependencies: go mod vendor needs all of them.
func builds() []build {
	all := []build{{"linux", "1", "cgo_sqlite"}}
	for _, system := range []string{"linux", "darwin", "windows"} {
		all = append(all, build{system, "0", ""})
	}
	for _, json := range []string{"sonic", "go_json", "jsoniter"} { // of Gin
		all = append(all, build{"linux", "0", json})
	}
	return all
}

// addLinked adds the modules that each runtime package links.
func addLinked(root string, b build, packages map[string][]string, versions map[string]string) error {
	out, err := run(root, []string{"GOOS=" + b.system, "CGO_ENABLED=" + b.cgo}, "go", "list", "-deps", "-tags="+b.tags, "-json=ImportPath,Deps,Module", "./runtime/...")
	if err != nil {
		return err
	}
	all := map[string]listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			return err
		}
		all[p.ImportPath] = p
	}
	for path, p := range all {
		if !strings.HasPrefix(path, runtimePath) {
			continue
		}
		modules := map[string]bool{}
		for _, module := range packages[path] {
			modules[module] = true
		}
		for _, dep := range p.Deps {
			if m := all[dep].Module; m != nil && !m.Main {
				modules[m.Path] = true
				versions[m.Path] = m.Version
			}
		}
		packages[path] = slices.Sorted(maps.Keys(modules))
	}
	return nil
}

// importedByTemplates returns the modules that generated code imports directly: those
// named by its Go files, its templates and their views.
func importedByTemplates(root string, versions map[string]string) ([]string, error) {
	out, err := run(root, nil, "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "all")
	if err != nil {
		return nil, err
	}
	pinned := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		pinned[path] = version
	}
	var modules []string
	for _, folder := range []string{"templates", "scaffold/spec", "scaffold/view"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for _, quoted := range strings.Split(string(text), `"`) {
				for path := quoted; strings.Contains(path, "/"); path = path[:strings.LastIndex(path, "/")] {
					if version, ok := pinned[path]; ok && version != "" {
						modules = append(modules, path)
						versions[path] = version
						break
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(modules)
	return slices.Compact(modules), nil
}

// graph tidies a scratch project that imports the complete runtime, and returns the go
// directive and the go.sum lines that do not belong to any single module.
func graph(root string, r scaffold.Requirements) (string, []string, error) {
	dir, err := os.MkdirTemp("", "requirements-")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(dir)
	copied, err := runtime.Source()
	if err != nil {
		return "", nil, err
	}
	for name, text := range copied {
		target := filepath.Join(dir, ".nexios", "runtime", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", nil, err
		}
		if err := os.WriteFile(target, text, 0o644); err != nil {
			return "", nil, err
		}
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", nil, err
	}
	_, rest, _ := strings.Cut(string(gomod), "\ngo ")
	version, _, _ := strings.Cut(rest, "\n")
	var main, imports strings.Builder
	fmt.Fprintf(&main, "module scratch\n\ngo %s\n\nreplace github.com/nexios-go/nexios => ./.nexios\n\nrequire github.com/nexios-go/nexios v%s\n", version, runtime.Version)
	imports.WriteString("package scratch\n\nimport (\n")
	for _, path := range slices.Sorted(maps.Keys(r.Packages)) {
		fmt.Fprintf(&imports, "\t_ %q\n", path)
	}
	imports.WriteString(")\n")
	inner := scaffold.RuntimeMod(r, version)
	for name, text := range map[string]string{"go.mod": main.String(), "scratch.go": imports.String(), ".nexios/go.mod": string(inner)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", nil, err
		}
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644); err != nil {
		return "", nil, err
	}
	if _, err := run(dir, []string{"GOFLAGS=-mod=mod"}, "go", "mod", "tidy"); err != nil {
		return "", nil, err
	}
	tidied, err := readSums(filepath.Join(dir, "go.sum"))
	if err != nil {
		return "", nil, err
	}
	var lines []string
	for key, sums := range tidied {
		path, _, _ := strings.Cut(key, " ")
		if m, ok := r.Modules[path]; ok && path+" "+m.Version == key {
			continue
		}
		for _, line := range sums {
			if strings.Contains(line, "/go.mod ") {
				lines = append(lines, line)
			}
		}
	}
	slices.Sort(lines)
	return version, lines, nil
}

// readSums returns the lines of a go.sum by "module version".
func readSums(name string) (map[string][]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	sums := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		if len(words) == 3 {
			key := words[0] + " " + strings.TrimSuffix(words[1], "/go.mod")
			sums[key] = append(sums[key], line)
		}
	}
	return sums, nil
}

func run(dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
