package scaffold

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// AddVersions plans the way from the project old to the same one with another version
// of the routes of resources, which are as now has them: their packages are copies of
// those before, with their owner's edits and files.
func (c Catalog) AddVersions(old, now spec.Project, added []spec.Resource, disk fs.FS) (plan.Plan, error) {
	made, err := c.Change(old, now, disk)
	if err != nil {
		return plan.Plan{}, err
	}
	ops := made.Ops
	for _, r := range added {
		last := len(r.Older)
		_, from := r.OfVersion(last - 1)
		_, to := r.OfVersion(last)
		if ops, err = copied(ops, disk, edit.Renaming{Module: now.Module, Models: "internal/model", Folder: [2]string{"internal/" + from, "internal/" + to}}); err != nil {
			return plan.Plan{}, err
		}
	}
	return plan.New(ops...), nil
}

// copied has new files of a package begin as those of another one, as its owner has
// them.
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
				ops = append(ops, plan.Op{Kind: plan.Note, Path: at, Note: "your edits of " + name + " are not in this copy, which has other lines there"})
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
