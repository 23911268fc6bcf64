package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// modules is the file where a project mounts its modules.
const modules = "internal/app/modules.go"

// AddVersions plans another version of the routes of resources, from old to now: their
// packages are copies of the previous ones, including the developer's edits and files.
//
// The previous module is marked as deprecated, whatever the developer changed around it,
// and the new one is mounted with the same arguments and middleware.
func (c Catalog) AddVersions(old, now spec.Project, added []spec.Resource, disk fs.FS) (plan.Plan, error) {
	over := overlay{disk, map[string][]byte{}}
	for _, r := range added {
		v, err := view.OfVersion(now, r, len(r.Older)-1)
		if err != nil {
			return plan.Plan{}, err
		}
		for _, dir := range []string{"", baseDir} {
			name := dir + "internal/" + v.Package + "/" + v.Package + ".go"
			if text, err := fs.ReadFile(disk, name); err == nil {
				over.texts[name] = edit.Deprecate(text, v.Handlers.Deprecated)
			}
		}
	}
	made, err := c.Change(old, now, over)
	if err != nil {
		return plan.Plan{}, err
	}
	ops := onto(disk, over, made, nil).Ops
	for _, r := range added {
		last := len(r.Older)
		_, from := r.OfVersion(last - 1)
		_, to := r.OfVersion(last)
		under := strconv.Quote("/api/" + r.Version)
		for i, op := range ops {
			if op.Path == modules && op.Kind == plan.Update {
				ops[i].After = edit.MountLike(op.After, now.Module+"/internal/"+from, to+".Module(gdb).Under("+under+")", to, under)
			}
		}
		for _, call := range registered(disk, "internal/"+from) {
			ops = append(ops, plan.Op{Kind: plan.Note, Path: "internal/" + to, Note: call + ", and so does this copy: take it out of one, or the program does not start"})
		}
		if ops, err = copied(ops, disk, edit.Renaming{Module: now.Module, Models: "internal/model", Folder: [2]string{"internal/" + from, "internal/" + to}}); err != nil {
			return plan.Plan{}, err
		}
	}
	return plan.New(ops...), nil
}

// RemoveVersion plans the removal of a version of the routes of some resources, from old
// to now. It removes the mount even if the developer changed its arguments.
func (c Catalog) RemoveVersion(old, now spec.Project, version string, disk fs.FS) (plan.Plan, error) {
	over := overlay{disk, map[string][]byte{}}
	text, err := fs.ReadFile(disk, modules)
	if err == nil {
		for _, r := range old.Resources {
			is, _ := now.Resource(r.Name)
			at := slices.Index(r.Versions(), version)
			if at < 0 || len(is.Older) == len(r.Older) {
				continue
			}
			v, err := view.OfVersion(old, r, at)
			if err != nil {
				return plan.Plan{}, err
			}
			for _, e := range c.Resource.Mount(v) {
				if e.Op == edit.AddElement {
					text = edit.MountAs(text, old.Module+"/internal/"+v.Package, e.Text)
				}
			}
		}
		over.texts[modules] = text
	}
	made, err := c.Change(old, now, over)
	if err != nil {
		return plan.Plan{}, err
	}
	return onto(disk, over, made, nil), nil
}

// registered returns the places in a package that register handlers or schedules of jobs,
// which a program must only have once.
func registered(disk fs.FS, dir string) (places []string) {
	_ = below(disk, dir, func(name string, _ fs.DirEntry) error { // copied reports unreadable files
		text, err := fs.ReadFile(disk, name)
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		for _, line := range edit.Calls(text, runtimeModule+"/runtime/jobs", "Handle", "HandleTx", "Schedule") {
			places = append(places, fmt.Sprintf("%s:%d registers a job", name, line))
		}
		return nil
	})
	return places
}

// UsedByOlder rejects a change of a field of r, to another name or type or to none, that
// would break an older version of its routes, which shares the model. verb is the kind of
// change: "rename". Versions whose package does not use the field, because the developer
// removed it there, do not count.
func UsedByOlder(verb string, old, now spec.Project, r spec.Resource, disk fs.FS) error {
	was, _ := old.Resource(r.Name)
	if len(was.Older) == 0 {
		return nil
	}
	from, err := view.OfVersion(old, was, len(was.Older))
	if err != nil {
		return err
	}
	to, err := view.OfVersion(now, r, len(r.Older))
	if err != nil {
		return err
	}
	there := slices.Concat(to.Model.Fields, to.Model.Relations)
	for i, v := range was.Older {
		_, pkg := was.OfVersion(i)
		for _, line := range slices.Concat(from.Model.Fields, from.Model.Relations) {
			name := spec.Named(v.Fields, line.Name)
			if name == "" || slices.ContainsFunc(there, func(l view.Line) bool { return l.Name == line.Name && l.Type == line.Type }) {
				continue
			}
			where := ""
			err := below(disk, "internal/"+pkg, func(file string, _ fs.DirEntry) error {
				text, err := fs.ReadFile(disk, file)
				if err == nil && where == "" && strings.HasSuffix(file, ".go") {
					if at := edit.Selects(text, line.Name); at > 0 {
						where = fmt.Sprintf("%s:%d", file, at)
					}
				}
				return err
			})
			if err != nil {
				return err
			}
			if where != "" {
				return &problem.Error{
					What:  fmt.Sprintf("cannot %s %s: %s of %s, which is still served, uses it", verb, name, v.Name, r.Name),
					Where: where, Try: "nexios remove version " + v.Name + " " + r.Name + " --dry-run",
				}
			}
		}
	}
	return nil
}

// copied replaces new files of a package by copies of another package's files, including
// the developer's edits.
func copied(ops []plan.Op, disk fs.FS, r edit.Renaming) ([]plan.Op, error) {
	d := draft{disk: disk, files: map[string]*text{}}
	from, to := path.Base(r.Folder[0]), path.Base(r.Folder[1])
	err := below(disk, r.Folder[0], func(name string, file fs.DirEntry) error {
		if !file.Type().IsRegular() {
			return nil
		}
		text, base := d.read(name), d.read(baseDir+name)
		if strings.HasSuffix(name, ".go") {
			var err error
			if text, err = r.Go(name, text, nil); err == nil && base != nil {
				base, err = r.Go(name, base, nil)
			}
			if err != nil {
				return err
			}
		}
		rest := strings.TrimPrefix(name, r.Folder[0]+"/")
		if rest == from+".go" || rest == from+"_test.go" {
			rest = to + strings.TrimPrefix(rest, from)
		}
		at := r.Folder[1] + "/" + rest
		i := slices.IndexFunc(ops, func(op plan.Op) bool { return op.Path == at && op.Kind == plan.Create })
		switch {
		case i >= 0 && base != nil:
			merged, conflict := merge.File(at, base, text, ops[i].After)
			if conflict {
				ops = append(ops, plan.Op{Kind: plan.Note, Path: at, Note: "your edits of " + name + " could not be applied to this copy, whose lines differ there"})
				return nil
			}
			ops[i].After = merged
		case i < 0 && !slices.ContainsFunc(ops, func(op plan.Op) bool { return op.Path == at }):
			ops = append(ops, plan.Op{Kind: plan.Create, Path: at, After: text})
		}
		return nil
	})
	return ops, errors.Join(err, d.err)
}
