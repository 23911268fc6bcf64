package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/render"
)

// TemplatesDir is where a project has templates of its own.
const TemplatesDir = ".nexios/templates/"

// Template is one file that the catalog makes files of projects from.
type Template struct {
	Name    string `json:"name"` // "resource/internal/{room}/input.go.tmpl"
	Ejected bool   `json:"ejected"`
	// Changed says that the catalog's own is another than when it was ejected.
	Changed bool `json:"changed"`
}

// Of returns the catalog with the templates that a project has of its own in the
// place of its own ones. disk is the project's folder.
func (c Catalog) Of(disk fs.FS) Catalog {
	if _, err := fs.Stat(disk, strings.TrimSuffix(TemplatesDir, "/")); err != nil {
		return c
	}
	c.Features = slices.Clone(c.Features)
	for name, tree := range c.trees() {
		*tree = render.Ejected{FS: *tree, Over: disk, At: TemplatesDir + name + "/"}
	}
	return c
}

// trees are the trees of files of the catalog, by name.
func (c *Catalog) trees() map[string]*fs.FS {
	trees := map[string]*fs.FS{
		"project": &c.Project, "containers": &c.Containers, "resource": &c.Resource.Files,
		"reversal": &c.Reversal, "migration": &c.Migration, "baseline": &c.Baseline,
	}
	for i := range c.Features {
		if f := &c.Features[i]; f.Files != nil {
			trees[f.Name] = &f.Files
		}
	}
	return trees
}

// own are the catalog's own templates, by name.
func (c Catalog) own() (map[string][]byte, error) {
	texts := map[string][]byte{}
	for name, tree := range c.trees() {
		files := *tree
		if e, ok := files.(render.Ejected); ok {
			files = e.FS
		}
		err := fs.WalkDir(files, ".", func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			texts[name+"/"+file], err = fs.ReadFile(files, file)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// Templates lists the templates, and which the project in disk has of its own.
func (c Catalog) Templates(disk fs.FS) ([]Template, error) {
	texts, err := c.own()
	if err != nil {
		return nil, err
	}
	d := draft{disk: disk, files: map[string]*text{}}
	var list []Template
	for name, own := range texts {
		t := Template{Name: name, Ejected: d.read(TemplatesDir+name) != nil}
		base := d.read(baseDir + TemplatesDir + name)
		t.Changed = t.Ejected && base != nil && !merge.Same(base, own)
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Template) int { return strings.Compare(a.Name, b.Name) })
	return list, d.err
}

// Eject plans that the project in disk has templates of its own: those that are named,
// or are below one of the names. What the project has already is merged with what is new
// in the catalog's own.
func (c Catalog) Eject(disk fs.FS, names []string) (plan.Plan, error) {
	texts, err := c.own()
	if err != nil {
		return plan.Plan{}, err
	}
	d := draft{disk: disk, files: map[string]*text{}}
	var ops []plan.Op
	for _, wanted := range names {
		wanted = strings.TrimSuffix(strings.TrimPrefix(wanted, TemplatesDir), "/")
		found := false
		for name, own := range texts {
			if name != wanted && !strings.HasPrefix(name, wanted+"/") {
				continue
			}
			found = true
			path := TemplatesDir + name
			there, base := d.read(path), d.read(baseDir+path)
			if there == nil {
				base = nil
			}
			if !slices.ContainsFunc(ops, func(op plan.Op) bool { return op.Path == path }) {
				ops = append(ops, plan.File(path, there, base, own))
			}
		}
		if !found {
			return plan.Plan{}, &problem.Error{What: fmt.Sprintf("no template %q", wanted), Label: "templates", Where: "nexios templates list", Try: "nexios templates eject resource"}
		}
	}
	return plan.New(ops...), d.err
}

// TemplateChanges is what became of the catalog's own templates since the project in
// disk ejected them, as a plan.
func (c Catalog) TemplateChanges(disk fs.FS) (plan.Plan, error) {
	texts, err := c.own()
	if err != nil {
		return plan.Plan{}, err
	}
	list, err := c.Templates(disk)
	if err != nil {
		return plan.Plan{}, err
	}
	d := draft{disk: disk, files: map[string]*text{}}
	var ops []plan.Op
	for _, t := range list {
		if t.Changed {
			ops = append(ops, plan.Op{Kind: plan.Update, Path: TemplatesDir + t.Name, Before: d.read(baseDir + TemplatesDir + t.Name), After: texts[t.Name]})
		}
	}
	return plan.New(ops...), d.err
}

// renewTemplates notes the templates whose own ones have changed since.
func (c Catalog) renewTemplates(d *draft) error {
	list, err := c.Templates(d.disk)
	for _, t := range list {
		if t.Changed {
			d.note(TemplatesDir+t.Name, errors.New("the built-in template has changed since it was ejected: see nexios templates diff; nexios templates eject merges it"))
		}
	}
	return err
}
