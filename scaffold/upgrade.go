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

// Upgrade plans the way from a project as another version wrote it to the same
// project as this one writes it: what is new is merged with what the owner
// edited since, and the project's copy of the runtime, if it has one, is
// renewed. rewritten are the places, by file, where its code gets what a newer runtime
// asks for. disk is the project's folder; it is only read.
//
// Migrations stay as they are, and so does .env; go.mod and go.sum only gain.
// A file that this version does not write any more goes, unless it was edited.
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

// rewriting is the project's folder with what uses say in its texts, and in those that
// nexios wrote last.
func rewriting(disk fs.FS, uses map[string][]rewrite.Use) (resolved, error) {
	over := resolved{disk, map[string][]byte{}}
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

// renewAll plans that the project in d is p as this version writes it.
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
			if !settled(file.Path) {
				fresh[file.Path] = file.Data
			}
		}
		for _, e := range part.edits {
			if !settled(e.Path) {
				edits[e.Path] = append(edits[e.Path], d.settle(e))
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

// folded finds what an older version made unique whatever the case: the table, the
// column, and what follows.
var folded = regexp.MustCompile(`db\.UniqueFold\(tx, ("(\w+)", "(\w+)"[^)]*)\)`)

// refolded are the migrations by which columns that an older version made unique
// whatever the case, as the database has it, become so as Unicode has it. Those
// of users are among auth's own.
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

// settled reports whether a file is never written anew: it is the machine's own,
// or it only gains.
func settled(name string) bool { return name == ".env" || name == "go.mod" || name == "go.sum" }

// renew takes what this version would write. What edits added to the last text
// stays where it is: the order in which parts were added is the project's own.
func (d *draft) renew(name string, fresh []byte, edits []edit.Edit) error {
	t := d.at(name)
	switch {
	case t.now != nil: // as rewrite has it
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

// retire takes out what was written once and is not any more.
func (d *draft) retire(fresh map[string][]byte) error {
	return below(d.disk, strings.TrimSuffix(baseDir, "/"), func(full string, _ fs.DirEntry) error {
		name := strings.TrimPrefix(full, baseDir)
		if _, ok := fresh[name]; ok || name == SpecFile || settled(name) || strings.HasPrefix(name, history) || strings.HasPrefix(name, TemplatesDir) {
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

// vendored is where a project has its copy of the runtime.
const vendored = ".nexios/"

// renewRuntime makes the project's copy of the runtime this version's.
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
