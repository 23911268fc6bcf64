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

// TemplatesDir is the folder of a project's own templates.
const TemplatesDir = ".nexios/templates/"

// Template is one template file of the catalog.
type Template struct {
	Name    string `json:"name"` // "resource/internal/{package}/input.go.tmpl"
	Ejected bool   `json:"ejected"`
	// Changed reports whether the built-in template has changed since it was ejected.
	Changed bool `json:"changed"`
	// Unused says that the catalog has no template of this name, so that the project's
	// file has no effect: it is misspelt, or of another version.
	Unused bool `json:"unused"`
}

// Of returns the catalog with templates replaced by those that the project in disk has
// ejected.
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

// trees returns the file trees of the catalog, by name.
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

// own returns the built-in templates, by name.
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

// Templates lists the templates, and which of them the project in disk has ejected.
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
	err = below(disk, strings.TrimSuffix(TemplatesDir, "/"), func(file string, _ fs.DirEntry) error {
		if name := strings.TrimPrefix(file, TemplatesDir); texts[name] == nil {
			list = append(list, Template{Name: name, Ejected: true, Unused: true})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Template) int { return strings.Compare(a.Name, b.Name) })
	return list, d.err
}

// Eject plans copying built-in templates to the project in disk: those with the given
// names, or below them. Templates that were ejected before are merged with the changes of
// the built-in ones.
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

// TemplateChanges returns the changes of the built-in templates since the project in disk
// ejected them, as a plan.
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

// renewTemplates notes the project's templates that have no effect, and those whose
// built-in versions have changed since.
func (c Catalog) renewTemplates(d *draft) error {
	list, err := c.Templates(d.disk)
	for _, t := range list {
		if t.Unused {
			d.note(TemplatesDir+t.Name, errors.New("nexios has no template of this name, so this file has no effect: see nexios templates list"))
		}
		if t.Changed {
			d.note(TemplatesDir+t.Name, errors.New("the built-in template has changed since it was ejected: see nexios templates diff; nexios templates eject merges it"))
		}
	}
	return err
}
