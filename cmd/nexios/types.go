package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// listed is what the go command knows of a package.
type listed struct {
	ImportPath, Dir, Export    string
	GoFiles, CgoFiles, Imports []string
	ImportMap                  map[string]string
	Module                     *struct{ GoVersion string }
	Error                      *struct{ Err string }
}

// errUncertain says that only a compiler can tell.
var errUncertain = errors.New("types alone do not tell")

// checkTypes has the type checker look at the packages of the project and their
// tests, with what the cache has of all others, and returns what it complains of. It
// takes a part of what a compiler does. overlay has the files that are planned.
func checkTypes(cmd *cobra.Command, dir, overlay string, replace map[string]string) (string, error) {
	c, err := typed(cmd, dir, overlay, replace, nil)
	if err != nil {
		return "", err
	}
	return strings.Join(c.complaints, "\n"), nil
}

// typed checks the types of the project's packages; info takes what it learns, nil for
// nothing.
func typed(cmd *cobra.Command, dir, overlay string, replace map[string]string, info *types.Info) (*checker, error) {
	flags := append([]string{"-buildvcs=false"}, pastVendor(dir)...)
	if overlay != "" {
		flags = append(flags, "-overlay="+overlay)
	}
	const fields = "-json=ImportPath,Dir,GoFiles,CgoFiles,Imports,ImportMap,Module,Error"
	own, err := list(cmd, dir, append(flags, "-test", fields, "./...")...)
	if err != nil {
		return nil, err
	}
	packages := map[string]*listed{}
	for i := range own {
		packages[own[i].ImportPath] = &own[i]
	}
	var others []string
	for _, p := range own {
		if p.Error != nil || len(p.CgoFiles) > 0 || p.Module == nil {
			return nil, errUncertain
		}
		for _, path := range p.Imports {
			if _, mine := packages[path]; !mine && path != "unsafe" && path != "C" && !slices.Contains(others, path) {
				others = append(others, path)
			}
		}
	}
	exported, err := list(cmd, dir, append(append(flags, "-export", "-json=ImportPath,Export"), others...)...)
	if err != nil {
		return nil, err
	}
	archives := map[string]string{}
	for _, p := range exported {
		archives[p.ImportPath] = p.Export
	}
	c := checker{files: token.NewFileSet(), packages: packages, done: map[string]*types.Package{}, replace: replace, info: info}
	c.others = importer.ForCompiler(c.files, "gc", func(path string) (io.ReadCloser, error) {
		if archives[path] == "" {
			return nil, fmt.Errorf("no package %s", path)
		}
		return os.Open(archives[path])
	})
	for _, p := range own {
		if !strings.HasSuffix(p.ImportPath, ".test") { // which the go command writes
			if _, err := c.check(p.ImportPath); err != nil {
				return nil, err
			}
		}
	}
	return &c, nil
}

// checker checks each package once, after those that it imports.
type checker struct {
	files      *token.FileSet
	packages   map[string]*listed
	done       map[string]*types.Package
	others     types.Importer
	replace    map[string]string
	info       *types.Info
	parsed     []*ast.File
	complaints []string
}

func (c *checker) check(path string) (*types.Package, error) {
	if p, ok := c.done[path]; ok {
		if p == nil {
			return nil, errUncertain // a cycle
		}
		return p, nil
	}
	c.done[path] = nil
	p := c.packages[path]
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		full := name
		if !filepath.IsAbs(full) {
			full = filepath.Join(p.Dir, name)
		}
		var text any
		if planned, ok := c.replace[full]; ok {
			data, err := os.ReadFile(planned)
			if err != nil {
				return nil, err
			}
			text = data
		}
		file, err := parser.ParseFile(c.files, full, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, errUncertain
		}
		parsed = append(parsed, file)
	}
	var failed error
	config := types.Config{
		Importer: importerFunc(func(imported string) (*types.Package, error) {
			if to, ok := p.ImportMap[imported]; ok {
				imported = to
			}
			if imported == "unsafe" {
				return types.Unsafe, nil
			}
			if _, ok := c.packages[imported]; ok {
				found, err := c.check(imported)
				failed = errors.Join(failed, err)
				return found, err
			}
			return c.others.Import(imported)
		}),
		Sizes: types.SizesFor("gc", runtime.GOARCH),
		Error: func(err error) { c.complaints = append(c.complaints, err.Error()) },
	}
	if p.Module.GoVersion != "" {
		config.GoVersion = "go" + p.Module.GoVersion
	}
	name, _, _ := strings.Cut(path, " ") // of a test's variant
	checked, _ := config.Check(name, c.files, parsed, c.info)
	c.parsed = append(c.parsed, parsed...)
	c.done[path] = checked
	return checked, failed
}

type importerFunc func(path string) (*types.Package, error)

// Import implements types.Importer.
func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

// list asks the go command for packages.
func list(cmd *cobra.Command, dir string, args ...string) ([]listed, error) {
	run := exec.CommandContext(cmd.Context(), "go", append([]string{"list"}, args...)...)
	run.Dir = dir
	out, err := run.Output()
	switch {
	case cmd.Context().Err() != nil:
		return nil, errCancelled
	case err != nil: // for the compiler to explain
		return nil, errUncertain
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}
