package scaffold

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/render"
)

// Requirements lists what go.mod and go.sum of a project need for each package that
// generated code may import, so that a new project builds without `go mod tidy` and
// without network access. `make requirements` generates it.
type Requirements struct {
	Go       string              // the go directive
	Packages map[string][]string // runtime package -> all modules it links on any system
	Modules  map[string]Module   // module path -> what to require
	Graph    []string            // go.sum lines needed to read the module graph
}

// Module is one pinned module.
type Module struct {
	Version string
	Sums    []string // its lines in go.sum
}

// ParseRequirements parses the output of `make requirements`.
func ParseRequirements(text []byte) (Requirements, error) {
	var r Requirements
	err := json.Unmarshal(text, &r)
	return r, err
}

// For returns the requirements of packages with the given imports: lines of go.mod by
// path, and lines of go.sum. own is the project's module, whose packages need nothing.
func (r Requirements) For(imports []string, own string) ([]edit.Requirement, []string, error) {
	direct := map[string]bool{} // module -> imported by the project itself
	for _, path := range imports {
		first, _, _ := strings.Cut(path, "/")
		if path == own || strings.HasPrefix(path, own+"/") || !strings.Contains(first, ".") {
			continue
		}
		if linked, ok := r.Packages[path]; ok {
			for _, module := range linked {
				if !direct[module] {
					direct[module] = false
				}
			}
			continue
		}
		module, ok := r.moduleOf(path)
		if !ok {
			return nil, nil, fmt.Errorf("no pinned module provides the package %s; see make requirements", path)
		}
		direct[module] = true
	}
	var requires []edit.Requirement
	sums := slices.Clone(r.Graph)
	for path, isDirect := range direct {
		requires = append(requires, edit.Requirement{Path: path, Version: r.Modules[path].Version, Indirect: !isDirect})
		sums = append(sums, r.Modules[path].Sums...)
	}
	slices.SortFunc(requires, func(a, b edit.Requirement) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(sums)
	return requires, slices.Compact(sums), nil
}

// moduleOf returns the module with the longest path that contains the package.
func (r Requirements) moduleOf(pkg string) (string, bool) {
	for path := pkg; path != ""; {
		if _, ok := r.Modules[path]; ok {
			return path, true
		}
		cut := strings.LastIndex(path, "/")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return "", false
}

// imports returns the imports of the Go files among files.
func imports(files []render.File) ([]string, error) {
	var paths []string
	for _, file := range files {
		if !strings.HasSuffix(file.Path, ".go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file.Path, file.Data, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		for _, spec := range tree.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// RuntimeMod returns the go.mod of a project's own copy of the runtime, which requires
// everything that its packages link.
func RuntimeMod(r Requirements, goVersion string) []byte {
	used := map[string]bool{}
	for _, modules := range r.Packages {
		for _, module := range modules {
			used[module] = true
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "module github.com/nexios-go/nexios\n\ngo %s\n\nrequire (\n", goVersion)
	for _, path := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&b, "\t%s %s\n", path, r.Modules[path].Version)
	}
	b.WriteString(")\n")
	return []byte(b.String())
}
