package scaffold

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/merge"
)

// follow merges changes into the files that the developer moved code to: a renamed file,
// or a declaration in another file of the package.
func (d *draft) follow() {
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		t := d.files[name]
		if t.now == nil || t.own || t.base == nil || merge.Same(t.base, t.now) || !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, history) {
			continue
		}
		if t.disk == nil {
			d.followFile(name, t)
			continue
		}
		there, was, is := edit.Declarations(t.disk), edit.Declarations(t.base), edit.Declarations(t.now)
		t.theirs = t.now
		for _, decl := range slices.Sorted(maps.Keys(was)) {
			if _, ok := there[decl]; !ok && is[decl] != "" && is[decl] != was[decl] {
				d.followDeclaration(name, t, decl, was[decl], is[decl])
			}
		}
	}
}

// followFile merges a missing file into the file that has its declarations: one of the
// same package, or of another one if the package's folder is missing.
func (d *draft) followFile(name string, t *text) {
	was := edit.Declarations(t.base)
	var into string
	most, twice := -1, false
	for _, other := range d.elsewhere(name) {
		is := edit.Declarations(d.at(other).yours)
		common, equal := 0, 0
		for decl, text := range was {
			if is[decl] != "" {
				common++
			}
			if is[decl] == text {
				equal++
			}
		}
		if 2*common <= len(was) || d.at(other).base != nil || equal < most {
			continue
		}
		twice = equal == most
		into, most = other, equal
	}
	if into == "" || twice {
		return
	}
	there := d.at(into)
	text, conflict := merge.Go(t.base, there.yours, t.now)
	if conflict {
		there.yours, there.torn = text, true
		return
	}
	there.yours = edit.FixImports(there.yours, text, t.now, d.module, runtimeModule)
	t.elsewhere = true
}

// followDeclaration merges a declaration that was moved to another file, and excludes it
// from the merge of the original file.
func (d *draft) followDeclaration(name string, t *text, decl, was, is string) {
	const head = "package p\n\n"
	for _, other := range d.siblings(name) {
		there := d.at(other)
		yours, ok := edit.Declarations(there.yours)[decl]
		if !ok {
			continue
		}
		text, conflict := merge.Go([]byte(head+was+"\n"), []byte(head+yours+"\n"), []byte(head+is+"\n"))
		if conflict {
			return
		}
		merged := strings.TrimSuffix(strings.TrimPrefix(string(text), head), "\n")
		after := edit.ReplaceDeclaration(there.yours, decl, merged)
		there.yours = edit.FixImports(there.yours, after, t.now, d.module, runtimeModule)
		t.theirs = edit.FixImports(t.theirs, edit.ReplaceDeclaration(t.theirs, decl, was), t.base, d.module, runtimeModule)
		return
	}
}

// elsewhere returns the files that may contain the declarations of a missing one.
func (d *draft) elsewhere(name string) []string {
	dir := path.Dir(name)
	if others := d.siblings(name); len(others) > 0 || path.Dir(path.Dir(dir)) != "." {
		return others
	}
	entries, err := fs.ReadDir(d.disk, path.Dir(dir))
	if err != nil {
		return nil
	}
	var others []string
	for _, entry := range entries {
		if there := path.Join(path.Dir(dir), entry.Name()); entry.IsDir() && there != dir {
			others = append(others, d.siblings(path.Join(there, "_"+path.Base(name)))...)
		}
	}
	return others
}

// siblings returns the other Go files of a file's package.
func (d *draft) siblings(name string) []string {
	entries, err := fs.ReadDir(d.disk, path.Dir(name))
	if err != nil {
		return nil // the package was removed
	}
	test := strings.HasSuffix(name, "_test.go")
	var others []string
	for _, entry := range entries {
		other := path.Join(path.Dir(name), entry.Name())
		if entry.Type().IsRegular() && other != name && strings.HasSuffix(other, ".go") && strings.HasSuffix(other, "_test.go") == test &&
			!bytes.Contains(d.at(other).yours, []byte("\r")) {
			others = append(others, other)
		}
	}
	return others
}
