package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/rewrite"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Upgrade plans the upgrade of a project to this version of nexios: new text is merged
// with the developer's edits, and the project's copy of the runtime, if it has one, is
// replaced. rewritten has the places, by file, where code has to be adapted to the newer
// runtime. disk is the project's folder, which is only read.
//
// Migrations and .env do not change; go.mod and go.sum are only extended. Files that are
// no longer generated are deleted, unless they were edited.
func (c Catalog) Upgrade(p spec.Project, disk fs.FS, rewritten map[string][]rewrite.Use) (plan.Plan, error) {
	was := p.Nexios
	p.Nexios = c.Version
	parts, err := c.parts(p)
	if err != nil {
		return plan.Plan{}, err
	}
	over, err := rewriting(disk, rewritten)
	if err != nil {
		return plan.Plan{}, err
	}
	d := draft{disk: over, files: map[string]*text{}, module: p.Module}
	switch _, err := fs.Stat(disk, strings.TrimSuffix(baseDir, "/")); {
	case was == c.Version:
		d.restore(parts)
	case errors.Is(err, fs.ErrNotExist):
		d.restore(parts)
		d.note(strings.TrimSuffix(baseDir, "/"), errors.New("this folder is missing, so changes since nexios "+was+" cannot be merged: "+
			"files stay as they are; git checkout restores it"))
	case err != nil:
		return plan.Plan{}, err
	}
	if err := d.edited(p); err != nil {
		return plan.Plan{}, err
	}
	if err := c.renewTemplates(&d); err != nil {
		return plan.Plan{}, err
	}
	made, err := c.renewAll(&d, p, parts)
	if err != nil {
		return plan.Plan{}, err
	}
	return onto(disk, over, made, nil), nil
}

// rewriting returns the project's folder with uses applied to its files, and to their
// bases.
func rewriting(disk fs.FS, uses map[string][]rewrite.Use) (overlay, error) {
	over := overlay{disk, map[string][]byte{}}
	for name, uses := range uses {
		text, err := fs.ReadFile(disk, name)
		if err != nil {
			return over, err
		}
		over.texts[name] = rewrite.Apply(text, uses)
		switch base, err := fs.ReadFile(disk, baseDir+name); {
		case err != nil:
		case bytes.Equal(base, text):
			over.texts[baseDir+name] = over.texts[name]
		default:
			over.texts[baseDir+name] = rewrite.Alike(base, text, uses)
		}
	}
	return over, nil
}

// renewAll plans the project in d as this version generates p.
func (c Catalog) renewAll(d *draft, p spec.Project, parts []part) (plan.Plan, error) {
	for _, r := range p.Resources {
		if err := d.drift(p, r); err != nil {
			return plan.Plan{}, err
		}
	}
	fresh, edits := map[string][]byte{}, map[string][]edit.Edit{}
	var imported []string
	for _, part := range parts {
		files, paths, err := part.write()
		if err != nil {
			return plan.Plan{}, err
		}
		imported = append(imported, paths...)
		for _, file := range files {
			if !unmanaged(file.Path) {
				fresh[file.Path] = file.Data
			}
		}
		for _, e := range part.edits {
			if !unmanaged(e.Path) {
				edits[e.Path] = append(edits[e.Path], d.resolve(e))
			}
		}
	}
	again, err := refolded(d.disk)
	if err != nil {
		return plan.Plan{}, err
	}
	edits[migrations] = append(edits[migrations], again...)
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		if err := d.renew(name, fresh[name], edits[name]); err != nil {
			return plan.Plan{}, err
		}
	}
	if err := d.retire(fresh); err != nil {
		return plan.Plan{}, err
	}
	if d.read(vendored+"go.mod") != nil {
		if err := c.renewRuntime(d); err != nil {
			return plan.Plan{}, err
		}
	}
	return c.finish(d, p, imported)
}

// folded matches a case-insensitive unique index of an older version: the table, the
// column, and further arguments.
var folded = regexp.MustCompile(`db\.UniqueFold\(tx, ("(\w+)", "(\w+)"[^)]*)\)`)

// refolded returns the migrations that replace case-insensitive unique indexes of an older
// version, which used the case rules of the database, by ones with the rules of Unicode.
// Those of users are among auth's own.
func refolded(disk fs.FS) ([]edit.Edit, error) {
	names, err := fs.Glob(disk, baseDir+history+"*.go")
	if err != nil {
		return nil, err
	}
	var list []edit.Edit
	for _, name := range names {
		text, err := fs.ReadFile(disk, name)
		if err != nil {
			return nil, err
		}
		time, _, _ := strings.Cut(path.Base(name), "_")
		for _, m := range folded.FindAllStringSubmatch(string(text), -1) {
			if call, table, column := m[1], m[2], m[3]; table != "users" {
				list = append(list, edit.Edit{
					Path: migrations, Op: edit.AddElement, In: "All",
					Text: fmt.Sprintf("db.Refold(%q, %s)", time+"_fold_"+column+"_of_"+table, call),
				})
			}
		}
	}
	return list, nil
}

// unmanaged reports whether a file is never regenerated: it belongs to the machine, or is
// only extended.
func unmanaged(name string) bool { return name == ".env" || name == "go.mod" || name == "go.sum" }

// renew sets the newly generated text. What edits added to the last text stays where it
// is: the order in which parts were added is specific to the project.
func (d *draft) renew(name string, fresh []byte, edits []edit.Edit) error {
	t := d.at(name)
	switch {
	case t.now != nil: // as adapted by rewrite
		fresh = t.now
	case t.base == nil:
	case strings.HasPrefix(name, history):
		fresh = t.base
	default:
		bare := t.base
		for _, e := range slices.Backward(edits) {
			if reverted, err := e.Revert(bare); err == nil {
				bare = reverted
			}
		}
		if merged, conflict := merge.File(name, bare, t.base, fresh); !conflict {
			fresh = merged
		}
	}
	fresh, err := applied(name, fresh, edits)
	if t.base == nil && t.disk != nil && !merge.Same(t.disk, fresh) {
		d.note(name, errors.New("this version writes a file of this name; yours stays as it is"))
		return err
	}
	t.now = fresh
	return err
}

// retire removes files that are no longer generated.
func (d *draft) retire(fresh map[string][]byte) error {
	return below(d.disk, strings.TrimSuffix(baseDir, "/"), func(full string, _ fs.DirEntry) error {
		name := strings.TrimPrefix(full, baseDir)
		if _, ok := fresh[name]; ok || name == SpecFile || unmanaged(name) || strings.HasPrefix(name, history) || strings.HasPrefix(name, TemplatesDir) {
			return nil
		}
		if err := plan.CheckPath(name); err != nil {
			return &problem.Error{What: err.Error() + ", and no text that nexios wrote last", Where: full, Try: "delete that file"}
		}
		t := d.at(name)
		if t.disk != nil && !merge.Same(t.disk, t.base) {
			d.note(name, errors.New("this version no longer generates this file; you edited it, so it is yours now"))
			return nil
		}
		t.gone = true
		return nil
	})
}

// vendored is the folder of a project's copy of the runtime.
const vendored = ".nexios/"

// renewRuntime replaces the project's copy of the runtime.
func (c Catalog) renewRuntime(d *draft) error {
	c.vendorRuntime(d)
	return fs.WalkDir(d.disk, vendored+"runtime", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if _, ok := c.Runtime[strings.TrimPrefix(name, vendored+"runtime/")]; !ok {
			d.own(name, nil)
		}
		return nil
	})
}
