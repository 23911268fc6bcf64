// Package testprogram links the tests of many packages of a generated project into one
// program: linking one for each takes longer than most of them run.
package testprogram

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Build links the tests of those packages below internal that have only external tests,
// which can be compiled anywhere. The project does not change: the connecting code is
// added as an overlay.
//
// Dir is the root of the project, program the file to write, in its own folder, env the
// environment of the go command, and only the names of the packages ("posts"), or none for
// all. Build returns the names of the linked packages, in order; if there are none, it
// writes no program. Tests keep their names, which must be unique.
func Build(dir, program string, env []string, only ...string) (joined []string, err error) {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	module := strings.Fields(string(mod))[1]
	files, err := filepath.Glob(filepath.Join(dir, "internal", "*", "*_test.go"))
	if err != nil {
		return nil, err
	}
	packages := map[string][]string{}
	for _, file := range files {
		if name := filepath.Base(filepath.Dir(file)); len(only) == 0 || slices.Contains(only, name) {
			packages[name] = append(packages[name], file)
		}
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	work := filepath.Dir(program)
	lay := func(name, text string) error {
		written := filepath.Join(work, strings.ReplaceAll(name, "/", "-"))
		overlay.Replace[filepath.Join(dir, filepath.FromSlash(name))] = written
		return os.WriteFile(written, []byte(text), 0o600)
	}
	var imports, calls strings.Builder
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		files := packages[name]
		outside, tests, err := parse(files)
		if err != nil {
			return nil, err
		}
		if !outside {
			continue
		}
		joined = append(joined, name)
		for i, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			if err := lay(fmt.Sprintf("all/%s/tests%d.go", name, i), string(text)); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(&imports, "\t%s_test %q\n", name, module+"/all/"+name)
		for _, test := range tests {
			fmt.Fprintf(&calls, "\nfunc %[2]s(t *testing.T) { %[1]s_test.%[2]s(t) }\n", name, test)
		}
	}
	if len(joined) == 0 {
		return nil, nil
	}
	if err := lay("all/all_test.go", "package all\n\nimport (\n\t\"testing\"\n\n"+imports.String()+")\n"+calls.String()); err != nil {
		return nil, err
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return nil, err
	}
	list := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return nil, err
	}
	link := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+list, "-o", program, "./all")
	link.Dir, link.Env = dir, env
	if out, err := link.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the tests of %s do not compile: %w\n%s", dir, err, out)
	}
	return joined, nil
}

// parse reports whether all tests in the files are external, and returns their names.
func parse(files []string) (outside bool, tests []string, err error) {
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return false, nil, err
		}
		if !strings.HasSuffix(f.Name.Name, "_test") {
			return false, nil, nil
		}
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil && strings.HasPrefix(d.Name.Name, "Test") {
				tests = append(tests, d.Name.Name)
			}
		}
	}
	return true, tests, nil
}
