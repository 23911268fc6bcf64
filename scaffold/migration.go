package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/render"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// AddMigration plans an empty migration for the developer to fill in. Its timestamp is at
// or, if the project has a later migration, one second after that. disk is only read.
func (c Catalog) AddMigration(p spec.Project, disk fs.FS, name, at string) (plan.Plan, error) {
	const layout = "20060102150405"
	entries, err := fs.ReadDir(disk, strings.TrimSuffix(history, "/"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plan.Plan{}, err
	}
	for _, entry := range entries {
		stamp, _, _ := strings.Cut(entry.Name(), "_")
		if made, err := time.Parse(layout, stamp); err == nil && stamp >= at {
			at = made.Add(time.Second).Format(layout)
		}
	}
	v, err := view.EmptyMigration(name, at)
	if err != nil {
		return plan.Plan{}, err
	}
	d := draft{disk: disk, files: map[string]*text{}, module: p.Module}
	if len(d.declaring(strings.TrimSuffix(history, "/"), v.Func)) > 0 { // the project has a migration of that name
		v.Func += at
	}
	files, err := render.Tree(c.Migration, render.Input{Module: p.Module, Words: map[string]string{"migration": v.File}, Data: v})
	if err != nil {
		return plan.Plan{}, err
	}
	return d.migration(files, v.Func)
}

// migration plans a migration that belongs to the developer, so no base is kept.
func (d *draft) migration(files []render.File, function string) (plan.Plan, error) {
	d.edit([]edit.Edit{{Path: migrations, Op: edit.AddElement, In: "All", Text: function + "()"}}, nil)
	made, err := d.plan()
	for _, file := range files {
		made.Ops = append(made.Ops, plan.Op{Kind: plan.Create, Path: file.Path, After: file.Data})
	}
	return plan.New(made.Ops...), err
}

// Adopt plans the change from old to now, whose resources have existing tables, with a
// migration that creates those in an empty database. A baseline without statements is
// omitted. disk is only read.
func (c Catalog) Adopt(old, now spec.Project, disk fs.FS, baseline view.Baseline) (plan.Plan, error) {
	p, err := c.Change(old, now, disk)
	if err != nil || len(baseline.Up) == 0 {
		return p, err
	}
	files, err := render.Tree(c.Baseline, render.Input{Module: now.Module, Words: map[string]string{"migration": baseline.File}, Data: baseline})
	if err != nil {
		return p, err
	}
	d := draft{disk: disk, files: map[string]*text{}, module: now.Module}
	if there := d.read(history + baseline.File + ".go"); there != nil {
		op := plan.Op{Path: files[0].Path, Before: there, After: merge.Like(files[0].Data, there)}
		op.Kind = plan.Between(op.Before, op.After)
		return plan.New(append(p.Ops, op)...), d.err
	}
	more, err := d.migration(files, baseline.Func)
	if err != nil {
		return p, err
	}
	for _, op := range more.Ops {
		if slices.ContainsFunc(p.Ops, func(o plan.Op) bool { return o.Path == op.Path && o.Kind != plan.Identical }) {
			return p, fmt.Errorf("%s changes twice", op.Path)
		}
		p.Ops = slices.DeleteFunc(p.Ops, func(o plan.Op) bool { return o.Path == op.Path })
		p.Ops = append(p.Ops, op)
	}
	return plan.New(p.Ops...), nil
}
