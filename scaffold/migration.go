package scaffold

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/render"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// AddMigration plans a migration that does nothing yet, for the owner to fill in.
// It is made at the time or, if the project has a later one, a second after that.
// disk is only read.
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
	if len(d.declaring(strings.TrimSuffix(history, "/"), v.Func)) > 0 { // the same was done before
		v.Func += at
	}
	files, err := render.Tree(c.Migration, render.Input{Module: p.Module, Words: map[string]string{"migration": v.File}, Data: v})
	if err != nil {
		return plan.Plan{}, err
	}
	d.edit([]edit.Edit{{Path: migrations, Op: edit.AddElement, In: "All", Text: v.Func + "()"}}, nil)
	made, err := d.plan()
	for _, file := range files { // the owner's from the first, so no text is kept to compare it with
		made.Ops = append(made.Ops, plan.Op{Kind: plan.Create, Path: file.Path, After: file.Data})
	}
	return plan.New(made.Ops...), err
}
