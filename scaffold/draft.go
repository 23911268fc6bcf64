package scaffold

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/render"
)

// baseDir is where a project keeps every generated file as last written, to distinguish
// the developer's edits from generated text.
const baseDir = ".nexios/base/"

// draft collects the changes of a command to each file before they become a plan.
type draft struct {
	disk   fs.FS
	module string // of the project
	secret string // replaces {secret}
	files  map[string]*text
	notes  []plan.Op
	err    error
	// lost returns the base of a file that has none: see restore.
	lost func(path string) []byte
}

// text is one file in a draft. A nil slice is a missing file.
type text struct {
	disk []byte // the developer's current version
	base []byte // as last generated
	now  []byte // as generated now; nil if only edits change it
	gone bool   // it is no longer generated
	own  bool   // a file of nexios itself: nobody edits it, no base is kept
	// yours is disk with the edits of this command.
	yours []byte
	// theirs is now without what the developer moved elsewhere; see follow.
	theirs    []byte
	elsewhere bool // the developer moved all of it to another file
	torn      bool // yours contains conflict markers
	yields    bool // see part
}

// at returns the file at path, reading it from disk only once.
func (d *draft) at(path string) *text {
	if t, ok := d.files[path]; ok {
		return t
	}
	t := &text{disk: d.read(path), base: d.read(baseDir + path)}
	if t.base == nil && t.disk != nil && d.lost != nil && !unmanaged(path) {
		t.base = d.lost(path)
	}
	t.yours = t.disk
	d.files[path] = t
	return t
}

func (d *draft) read(path string) []byte {
	data, err := fs.ReadFile(d.disk, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		d.err = errors.Join(d.err, err)
		return nil
	case data == nil:
		return []byte{}
	}
	return data
}

// write sets the text of rendered files. Existing migrations are not written again.
func (d *draft) write(files []render.File) {
	for _, file := range files {
		if t := d.at(file.Path); t.base == nil || !strings.HasPrefix(file.Path, history) {
			t.now = file.Data
		}
	}
}

// own sets a file that only nexios writes.
func (d *draft) own(path string, data []byte) {
	t := d.at(path)
	t.now, t.own = data, true
}

// remove removes files that are no longer generated. Files that the developer added to
// their package stay, with a note.
func (d *draft) remove(files []render.File) {
	packages := map[string]bool{}
	for _, file := range files {
		d.at(file.Path).gone = true
		if dir := path.Dir(file.Path); dir != "internal/model" && path.Dir(dir) == "internal" {
			packages[dir] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		entries, err := fs.ReadDir(d.disk, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.err = errors.Join(d.err, err)
		}
		for _, entry := range entries {
			if name := dir + "/" + entry.Name(); !entry.IsDir() && d.files[name] == nil {
				d.note(name, errors.New("you added this file, so it stays; the generated files beside it are gone"))
			}
		}
	}
}

// edit makes the new edits and reverts the obsolete ones. Edits that were made before are
// not repeated: the developer may have changed them since.
func (d *draft) edit(now, prior []edit.Edit) {
	for _, e := range slices.Backward(prior) { // imports after their uses
		if !contains(now, e) {
			d.carry(d.found(d.resolve(e)), prior, edit.Edit.Revert)
		}
	}
	for _, e := range now {
		if !contains(prior, e) {
			d.carry(d.resolve(e), now, edit.Edit.Apply)
		}
	}
}

// resolve fills in what depends on the project: its own imports, and the secret.
func (d *draft) resolve(e edit.Edit) edit.Edit {
	e.Own = []string{d.module, runtimeModule}
	e.Text = strings.ReplaceAll(e.Text, "{secret}", d.secret)
	return e
}

// found replaces the secret of a line to be removed by the one on disk.
func (d *draft) found(e edit.Edit) edit.Edit {
	before, _, secret := strings.Cut(e.Text, d.secret)
	if !secret || d.secret == "" {
		return e
	}
	for line := range strings.Lines(string(d.at(e.Path).disk)) {
		if line = strings.TrimRight(line, "\r\n"); strings.HasPrefix(line, before) {
			e.Text = line
		}
	}
	return e
}

func contains(edits []edit.Edit, e edit.Edit) bool {
	return slices.ContainsFunc(edits, func(other edit.Edit) bool { return reflect.DeepEqual(other, e) })
}

// carry makes or reverts an edit wherever the developer moved its target, using the names
// that they gave to its variables. all are the edits of the same part.
func (d *draft) carry(e edit.Edit, all []edit.Edit, do func(edit.Edit, []byte) ([]byte, error)) {
	own := d.at(e.Path)
	if own.now != nil {
		d.change(e.Path, func(src []byte) ([]byte, error) { return do(e, src) })
		return
	}
	path := d.home(e, all)
	there := d.at(path)
	if there.disk == nil {
		d.note(path, errors.New("the file is gone"))
		return
	}
	yours := e
	if e.In != "" && own.base != nil {
		yours.Text = edit.Renamed(own.base, there.yours, e.In, e.Text)
	}
	changed, err := do(yours, there.yours)
	if err != nil {
		d.note(path, err)
		return
	}
	there.yours = changed
	if own.base != nil {
		if changed, err := do(e, own.base); err == nil {
			own.base = changed
		}
	}
}

// home returns the file with the target of an edit: its own file, or else one of the same
// package, or one of another package if it is the only one.
func (d *draft) home(e edit.Edit, all []edit.Edit) string {
	name := e.In
	if e.Op == edit.AddImport { // goes with its use
		for _, user := range all {
			if user.Path == e.Path && user.In != "" && strings.Contains(user.Text, path.Base(e.Text)+".") {
				name = user.In
			}
		}
	}
	own := d.at(e.Path)
	if name == "" || edit.Declares(own.yours, name) {
		return e.Path
	}
	dir := path.Dir(e.Path)
	if found := d.declaring(dir, name); len(found) > 0 {
		return found[0]
	}
	entries, err := fs.ReadDir(d.disk, path.Dir(dir))
	if err != nil || own.disk != nil {
		return e.Path
	}
	var found []string
	for _, entry := range entries {
		if other := path.Join(path.Dir(dir), entry.Name()); entry.IsDir() && other != dir {
			found = append(found, d.declaring(other, name)...)
		}
	}
	if len(found) != 1 {
		return e.Path
	}
	return found[0]
}

// declaring returns the files of a package that have a function or type of that name.
func (d *draft) declaring(dir, name string) []string {
	entries, err := fs.ReadDir(d.disk, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.err = errors.Join(d.err, err)
	}
	var found []string
	for _, entry := range entries {
		file := path.Join(dir, entry.Name())
		if entry.Type().IsRegular() && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && edit.Declares(d.read(file), name) {
			found = append(found, file)
		}
	}
	return found
}

// change edits the developer's text, and the base in the same way so that the difference
// between them remains the developer's. If the developer's text has no place for the edit,
// a note says what to paste.
func (d *draft) change(path string, edit func([]byte) ([]byte, error)) {
	t := d.at(path)
	if t.now != nil {
		if changed, err := edit(t.now); err == nil {
			t.now = changed
		} else {
			d.err = errors.Join(d.err, err)
		}
		return
	}
	if t.disk == nil {
		d.note(path, errors.New("the file is gone"))
		return
	}
	changed, err := edit(t.yours)
	if err != nil {
		d.note(path, err)
		return
	}
	t.yours = changed
	if t.base != nil {
		if changed, err := edit(t.base); err == nil {
			t.base = changed
		}
	}
}

// below calls do with every file below a folder, which may be missing.
func below(disk fs.FS, dir string, do func(name string, file fs.DirEntry) error) error {
	return fs.WalkDir(disk, dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || entry.IsDir():
			return err
		}
		return do(name, entry)
	})
}

// note records what could not be done to a file.
func (d *draft) note(path string, err error) {
	d.notes = append(d.notes, plan.Op{Kind: plan.Note, Path: path, Note: err.Error()})
}

// plan turns the draft into a plan.
func (d *draft) plan() (plan.Plan, error) {
	d.follow()
	ops := d.notes
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		ops = append(ops, d.op(path))
	}
	return plan.New(ops...), d.err
}

func (d *draft) op(path string) plan.Op {
	t := d.files[path]
	switch {
	case t.own:
		op := plan.Op{Path: path, Before: t.disk, After: merge.Like(t.now, t.disk)}
		op.Kind = plan.Between(op.Before, op.After)
		if path == SpecFile { // edited compares it with the file to detect manual changes
			op.Base = op.After
		}
		return op
	case t.gone:
		return plan.File(path, t.disk, t.base, nil)
	case t.elsewhere:
		return plan.Op{Kind: plan.Identical, Path: path, Base: merge.Like(t.now, t.base)}
	case t.now != nil:
		theirs := t.now
		if t.theirs != nil {
			theirs = t.theirs
		}
		op := plan.File(path, t.disk, t.base, theirs)
		if op.Base != nil {
			op.Base = merge.Like(t.now, t.base)
		}
		if t.yields && t.base != nil && strings.HasSuffix(path, ".md") && (op.Kind == plan.Conflict || op.Kind == plan.Note) {
			return plan.Op{Kind: plan.Identical, Path: path, Before: t.disk, After: t.disk} // prose is the developer's
		}
		if op.Kind == plan.Conflict && t.yields && t.base != nil {
			return plan.Op{Kind: plan.Note, Path: path, Note: pasted(t.base, theirs)}
		}
		if op.Kind == plan.Update && strings.HasSuffix(path, ".go") {
			op.After = edit.FixImports(t.disk, op.After, t.now, d.module, runtimeModule)
		}
		return op
	case t.torn:
		return plan.Op{Kind: plan.Conflict, Path: path, Before: t.disk, After: t.yours, Base: t.base, Note: plan.Both}
	case bytes.Equal(t.yours, t.disk):
		return plan.Op{Kind: plan.Identical, Path: path, Before: t.disk, After: t.disk, Base: t.base}
	}
	return plan.Op{Kind: plan.Update, Path: path, Before: t.disk, After: t.yours, Base: t.base}
}

// pasted returns the lines that a text gained, or else lost, for a developer who changed
// the lines around them.
func pasted(was, now []byte) string {
	lines := func(text []byte) []string { return strings.Split(strings.TrimRight(string(text), "\n"), "\n") }
	alone := func(from, in []string) string {
		var found []string
		for i, other := range merge.Match(from, in) {
			if other < 0 {
				found = append(found, from[i])
			}
		}
		return strings.Trim(strings.Join(found, "\n"), "\n")
	}
	missing := edit.Missing{What: "you changed the lines where this belongs", Line: alone(lines(now), lines(was))}
	if missing.Line == "" {
		missing.Line, missing.Remove = alone(lines(was), lines(now)), true
	}
	return missing.Error()
}
