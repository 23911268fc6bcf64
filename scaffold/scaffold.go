package scaffold

import (
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/render"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// SpecFile is the file with the specification of a project.
const SpecFile = "nexios.json"

// Change plans the change of the project from the specification old (the zero Project for
// a new one) to now. disk is the project's folder, which is only read. Parts whose input
// did not change are skipped, whatever the size of the project, unless again contains
// their key.
//
// Existing migrations are history and never change. The migrations of a part in
// now.Dropped stay when it is removed, and another migration reverts them.
func (c Catalog) Change(old, now spec.Project, disk fs.FS, again ...string) (plan.Plan, error) {
	diff, err := c.compare(old, now, again)
	if err != nil {
		return plan.Plan{}, err
	}
	d := draft{disk: disk, files: map[string]*text{}, module: now.Module, secret: c.Secret}
	d.restore(diff.before)
	if err := d.edited(old); err != nil {
		return plan.Plan{}, err
	}
	var imported []string
	for _, ch := range diff.changed {
		paths, err := d.add(old, ch)
		if err != nil {
			return plan.Plan{}, err
		}
		imported = append(imported, paths...)
	}
	for _, gone := range diff.gone {
		if err := c.remove(&d, old, now, gone, diff.after); err != nil {
			return plan.Plan{}, err
		}
	}
	for _, dropped := range diff.restored {
		if err := c.reverse(&d, view.Restore(now, dropped)); err != nil {
			return plan.Plan{}, err
		}
	}
	if old.Name == "" {
		c.vendorRuntime(&d)
	}
	return c.finish(&d, now, imported)
}

// difference is the difference between two specifications, part by part.
type difference struct {
	before, after []part
	changed       []change       // the new and changed parts of after, in order
	gone          []part         // the removed parts of before, by key
	restored      []spec.Dropped // parts whose tables are restored
}

// change is a part as it is to be, and as it was: the zero part for a new one.
type change struct{ now, was part }

func (c Catalog) compare(old, now spec.Project, again []string) (difference, error) {
	var diff difference
	var err error
	if diff.before, err = c.parts(old); err != nil {
		return diff, err
	}
	if diff.after, err = c.parts(now); err != nil {
		return diff, err
	}
	was := make(map[string]part, len(diff.before))
	for _, p := range diff.before {
		was[p.key] = p
	}
	for _, p := range diff.after {
		prior, existed := was[p.key]
		delete(was, p.key)
		if !existed || !reflect.DeepEqual(prior.input, p.input) || slices.Contains(again, p.key) {
			diff.changed = append(diff.changed, change{p, prior})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		diff.gone = append(diff.gone, was[key])
	}
	for i, dropped := range now.Dropped {
		if dropped.Restored != "" && old.Dropped[i].Restored == "" {
			diff.restored = append(diff.restored, dropped)
		}
	}
	return diff, nil
}

// add writes a part, and returns its imports.
func (d *draft) add(old spec.Project, ch change) ([]string, error) {
	if at := slices.IndexFunc(old.Resources, func(r spec.Resource) bool { return ResourceKey(r) == ch.now.key }); at >= 0 {
		if err := d.drift(old, old.Resources[at]); err != nil {
			return nil, err
		}
	}
	files, imported, err := ch.now.write()
	if err != nil {
		return nil, err
	}
	d.write(files)
	for _, file := range files {
		d.at(file.Path).yields = ch.now.yields
	}
	if was, ok := ch.was.input.(view.Resource); ok && was.Routes && !ch.now.input.(view.Resource).Routes { // v1 was removed
		before, _, err := ch.was.write()
		if err != nil {
			return nil, err
		}
		d.remove(slices.DeleteFunc(before, func(file render.File) bool {
			return slices.ContainsFunc(files, func(is render.File) bool { return is.Path == file.Path })
		}))
	}
	d.edit(ch.now.edits, ch.was.edits)
	return imported, nil
}

// remove removes what a part wrote, except for its migrations if another one drops its
// tables. Files that another part writes too stay.
func (c Catalog) remove(d *draft, old, now spec.Project, gone part, rest []part) error {
	files, _, err := gone.write()
	if err != nil {
		return err
	}
	edits := slices.Clone(gone.edits)
	at := slices.IndexFunc(now.Dropped, func(d spec.Dropped) bool { return d.What == gone.what && d.Restored == "" })
	if at >= 0 && !old.Gone(gone.what) {
		past := gone.past()
		if err := c.reverse(d, view.Drop(now, now.Dropped[at], past.elements, past.lists, past.paths)); err != nil {
			return err
		}
		files = slices.DeleteFunc(files, func(f render.File) bool { return strings.HasPrefix(f.Path, history) })
		edits = slices.DeleteFunc(edits, func(e edit.Edit) bool { return strings.HasPrefix(e.Path, history) })
	}
	edits = slices.DeleteFunc(edits, func(e edit.Edit) bool {
		return slices.ContainsFunc(rest, func(p part) bool { return contains(p.edits, e) })
	})
	d.remove(files)
	d.edit(nil, edits)
	return nil
}

// finish adds the imports to go.mod and go.sum, writes the record, and turns everything
// into a plan.
func (c Catalog) finish(d *draft, now spec.Project, imported []string) (plan.Plan, error) {
	if err := c.require(d, imported, now); err != nil {
		return plan.Plan{}, err
	}
	record, err := now.JSON()
	if err != nil {
		return plan.Plan{}, err
	}
	d.own(SpecFile, record)
	return d.plan()
}

// reverse writes a migration that reverts others, and adds it to the list.
func (c Catalog) reverse(d *draft, v view.Reversal) error {
	files, err := render.Tree(c.Reversal, render.Input{Words: map[string]string{"migration": v.File}, Data: v})
	if err != nil {
		return err
	}
	d.write(files)
	d.edit([]edit.Edit{{Path: migrations, Op: edit.AddElement, In: "All", Text: v.Func + "()"}}, nil)
	return nil
}

// migrations is the list of all migrations of a project.
const migrations = history + "migrations.go"

// past is what a part has in the list of migrations.
type past struct {
	elements, lists []string // Go expressions of single migrations, and of lists
	paths           []string // their imports
}

func (p part) past() past {
	var all past
	for _, e := range p.edits {
		if e.Path != migrations {
			continue
		}
		switch e.Op {
		case edit.AddElement:
			all.elements = append(all.elements, e.Text)
		case edit.AddArgument:
			all.lists = append(all.lists, e.Text)
		case edit.AddImport:
			all.paths = append(all.paths, e.Text)
		}
	}
	return all
}

// part is a separately generated part of a project: the project's own files, a feature or
// a resource.
type part struct {
	key    string // "project", "feature chat", "resource post"
	what   string // identifies it when it is dropped: its table, or the feature
	input  any    // everything it is rendered from: equal input, equal output
	render func() ([]render.File, error)
	edits  []edit.Edit
	// yields turns conflicts with the developer's edits into notes: the part follows from
	// other parts, which are what was requested.
	yields bool
}

// write renders a part, and returns its files, and their and its edits' imports.
func (p part) write() ([]render.File, []string, error) {
	files, err := p.render()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.key, err)
	}
	imported, err := imports(files)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.key, err)
	}
	for _, e := range p.edits {
		if e.Op == edit.AddImport {
			imported = append(imported, e.Text)
		}
	}
	return files, imported, nil
}

// ResourceKey returns the key of a resource's part for Change.
func ResourceKey(r spec.Resource) string { return "resource " + r.Name }

// FeatureKey returns the key of a feature's part for Change.
func FeatureKey(f spec.Feature) string {
	return "feature " + f.Name + " " + f.Options["name"]
}

func (c Catalog) parts(p spec.Project) ([]part, error) {
	if p.Name == "" {
		return nil, nil
	}
	project := view.Project(p, c.Requirements.Go)
	parts := []part{{
		key:   "project",
		input: project,
		render: func() ([]render.File, error) {
			return render.Tree(c.Project, render.Input{
				Module: p.Module,
				Words:  map[string]string{"project": p.Name},
				Data:   project,
			})
		},
	}}
	deployment := view.DeploymentOf(p, c.Requirements.Go)
	for _, chosen := range p.Features {
		if f, ok := c.Feature(chosen.Name); ok {
			name := strings.TrimSpace(f.Name + " " + chosen.Options["name"])
			deployment.Has = append(deployment.Has, view.Has{Name: name, Summary: f.Summary})
		}
	}
	parts = append(parts, part{
		key:    "containers",
		input:  deployment,
		render: func() ([]render.File, error) { return render.Tree(c.Containers, render.Input{Data: deployment}) },
		yields: true,
	})
	for _, chosen := range p.Features {
		f, ok := c.Feature(chosen.Name)
		if !ok {
			return nil, fmt.Errorf("%s lists the feature %q, which this version does not have", SpecFile, chosen.Name)
		}
		parts = append(parts, f.part(p, chosen))
	}
	for _, r := range p.Resources {
		v, err := view.Of(p, r)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{
			key:    ResourceKey(r),
			what:   r.TableName(),
			input:  v,
			render: func() ([]render.File, error) { return c.Resource.Render(v) },
			edits:  c.Resource.Edits(v),
		})
		for i, name := range r.Versions() {
			if name == "v1" {
				continue // uses the package of the resource
			}
			v, err := view.OfVersion(p, r, i)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part{
				key:    ResourceKey(r) + " " + name,
				input:  v,
				render: func() ([]render.File, error) { return c.Resource.renderVersion(v) },
				edits:  c.Resource.Mount(v),
			})
		}
	}
	return parts, nil
}

func (f Feature) part(p spec.Project, chosen spec.Feature) part {
	made := part{
		key:    FeatureKey(chosen),
		what:   f.Name,
		input:  []any{chosen, f.data(p, chosen), p.Module},
		render: func() ([]render.File, error) { return f.Render(p, chosen) },
	}
	if f.Edits != nil {
		made.edits = f.Edits(p, chosen)
	}
	return made
}

// require adds imports to go.mod and go.sum.
func (c Catalog) require(d *draft, imported []string, p spec.Project) error {
	requires, sums, err := c.Requirements.For(imported, p.Module)
	if err != nil || len(requires) == 0 {
		return err
	}
	requires = append(requires, edit.Requirement{Path: runtimeModule, Version: "v" + c.Version})
	d.change("go.mod", func(src []byte) ([]byte, error) { return edit.Require(src, requires) })
	d.change("go.sum", func(src []byte) ([]byte, error) { return edit.Sums(src, sums), nil })
	return nil
}

const runtimeModule = "github.com/nexios-go/nexios"

// vendorRuntime copies the runtime into a project, as long as the module cannot be
// downloaded.
func (c Catalog) vendorRuntime(d *draft) {
	for name, data := range c.Runtime {
		d.own(".nexios/runtime/"+name, data)
	}
	d.own(".nexios/go.mod", RuntimeMod(c.Requirements, c.Requirements.Go))
}
