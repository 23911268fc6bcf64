package scaffold

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/render"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/scaffold/view"
)

// Catalog is everything that can be generated. Package templates builds it.
type Catalog struct {
	Version      string            // of nexios and of its runtime: the same number
	Project      fs.FS             // files of every project
	Containers   fs.FS             // files to run a project in containers, which depend on its features
	Reversal     fs.FS             // a migration that reverts others
	Migration    fs.FS             // an empty migration
	Baseline     fs.FS             // a migration that creates an existing schema
	Resource     Resource          // templates of a resource
	Features     []Feature         // optional features, each after those it requires
	Runtime      map[string][]byte // source of the runtime, by path relative to runtime/
	Requirements Requirements
	// Secret is a new random secret that replaces {secret} in edits of a plan. It is only
	// written to files that git ignores.
	Secret string
}

// Resource generates one resource from its view.
type Resource struct {
	Files fs.FS
	Words func(view.Resource) map[string]string
	Keep  func(view.Resource, string) bool
	Edits func(view.Resource) []edit.Edit
	Mount func(view.Resource) []edit.Edit // edits of another version of the routes
}

// renderVersion renders the files of another version of the routes.
func (r Resource) renderVersion(v view.Resource) ([]render.File, error) {
	return render.Tree(r.Files, render.Input{
		Module: v.Module, Words: r.Words(v), Data: v,
		Keep: func(path string) bool { return strings.HasPrefix(path, "internal/{package}/") && r.Keep(v, path) },
	})
}

// Render renders the files of a resource: those of its view, and one per migration.
func (r Resource) Render(v view.Resource) ([]render.File, error) {
	files, err := render.Tree(r.Files, render.Input{
		Module: v.Module, Words: r.Words(v), Data: v,
		Keep: func(path string) bool { return !strings.HasPrefix(path, history) && r.Keep(v, path) },
	})
	if err != nil {
		return nil, err
	}
	for _, m := range v.Migrations {
		more, err := render.Tree(r.Files, render.Input{
			Module: v.Module, Words: map[string]string{"migration": m.File}, Data: m,
			Keep: func(path string) bool { return strings.HasPrefix(path, history) },
		})
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// history is the folder of a project's migrations.
const history = "internal/migrations/"

// Feature is an optional part of a project other than a resource: one folder of package
// templates, one literal.
type Feature struct {
	Name     string   // argument of `nexios add`
	Summary  string   // one line, no full stop
	Example  string   // as typed after `nexios add `
	Requires []string // features that it requires, which are added as well
	Options  []Option // flags of the command, questions of the wizard
	Repeats  bool     // it can be added several times, with different values of the option "name"
	Grows    bool     // adding it again extends its list options
	Tables   []string // tables of its migrations, and those of the runtime that it uses
	// Packages are the names that it adds to internal and to internal/app, in addition to
	// the value of its option "name".
	Packages []string
	Files    fs.FS                                        // files of the project; nil if the runtime has everything
	Needs    func(spec.Feature) []string                  // more required features, depending on options; nil for none
	Renames  func(spec.Feature) []string                  // words of copied files, each followed by its replacement; nil for none
	Data     func(spec.Project, spec.Feature) any         // data of .tmpl files; nil for none
	Keep     func(spec.Feature, string) bool              // selects files by options; nil for all
	Edits    func(spec.Project, spec.Feature) []edit.Edit // its edits of the project's files; nil for none
	Check    func(spec.Project, spec.Feature) error       // rejects invalid options; nil accepts all
	Next     func(spec.Project, spec.Feature) []string    // commands to suggest once it is added; nil for none
	// Also changes existing parts of the project; nil changes nothing.
	Also func(spec.Project, spec.Feature) (spec.Project, error)
}

// Option is one option of a feature.
type Option struct {
	Name    string
	Help    string
	Default string
	Choices []string          // allowed values; empty for free text
	About   map[string]string // a short description of each choice; nil for none
	Many    bool              // a list of choices, separated by / or commas, which PowerShell turns into spaces
	None    string            // the choice for an empty list; "" for none
}

// Feature returns the feature of that name.
func (c Catalog) Feature(name string) (Feature, bool) {
	for _, f := range c.Features {
		if f.Name == name {
			return f, true
		}
	}
	return Feature{}, false
}

// required returns the features that a project must have before chosen.
func (f Feature) required(chosen spec.Feature) []string {
	if f.Needs == nil {
		return f.Requires
	}
	return slices.Concat(f.Requires, f.Needs(chosen))
}

// Add adds the feature to the project, after the missing features that it requires.
func (c Catalog) Add(p spec.Project, chosen spec.Feature) (spec.Project, error) {
	f, ok := c.Feature(chosen.Name)
	if !ok {
		return p, &problem.Error{What: fmt.Sprintf("unknown feature %q", chosen.Name), Label: "features", Where: strings.Join(c.names(), " "), Try: "nexios add --help"}
	}
	requested := chosen
	chosen, err := f.normalize(chosen)
	if err != nil {
		return p, err
	}
	for _, name := range f.required(chosen) {
		if p.HasFeature(name) {
			continue
		}
		if p, err = c.Add(p, spec.Feature{Name: name}); err != nil {
			return p, err
		}
	}
	if f.Check != nil {
		if err := f.Check(p, chosen); err != nil {
			return p, err
		}
	}
	if at := slices.IndexFunc(p.Features, func(o spec.Feature) bool { return FeatureKey(o) == FeatureKey(chosen) }); f.Grows && at >= 0 {
		p.Features = slices.Clone(p.Features)
		p.Features[at], err = f.normalize(f.joined(p.Features[at], requested))
	} else {
		p, err = p.AddFeature(chosen)
	}
	if err != nil || f.Also == nil {
		return p, err
	}
	return f.Also(p, chosen)
}

// joined extends the options of an existing feature: it joins lists, and keeps options
// that are not given again.
func (f Feature) joined(a, b spec.Feature) spec.Feature {
	options := maps.Clone(a.Options)
	for _, o := range f.Options {
		requested, ok := b.Options[o.Name]
		switch {
		case !ok:
		case o.Many:
			words := append(spec.List(a.Options[o.Name]), spec.List(requested)...)
			words = slices.DeleteFunc(words, func(word string) bool { return o.None != "" && word == o.None })
			options[o.Name] = cmp.Or(strings.Join(words, ","), o.None)
		default:
			options[o.Name] = requested
		}
	}
	return spec.Feature{Name: b.Name, Options: options} // which Add normalizes
}

// Known completes the features of a project that was read with the data of the catalog. It
// returns a *problem.Error for features or options that Add would not have recorded.
func (c Catalog) Known(p spec.Project) (spec.Project, error) {
	p.Features = slices.Clone(p.Features)
	for i, chosen := range p.Features {
		f, ok := c.Feature(chosen.Name)
		if !ok {
			return p, &problem.Error{
				What:  fmt.Sprintf("%s names the feature %q, which this version does not have", SpecFile, chosen.Name),
				Label: "features", Where: strings.Join(c.names(), " "), Try: "git checkout " + SpecFile,
			}
		}
		normalized, err := f.normalize(chosen)
		if err != nil {
			return p, err
		}
		for name := range chosen.Options {
			if normalized.Options[name] != chosen.Options[name] {
				return p, &problem.Error{
					What:  fmt.Sprintf("%s has an unexpected value %q for %s of %s", SpecFile, chosen.Options[name], name, f.Name),
					Where: SpecFile, Try: "git checkout " + SpecFile,
				}
			}
		}
		p.Features[i] = normalized
		if f.Check == nil {
			continue
		}
		before := p
		before.Features = slices.Delete(slices.Clone(p.Features), i, i+1)
		if err := f.Check(before, chosen); err != nil {
			return p, err
		}
	}
	return p, p.CheckNames()
}

// Remove removes the feature from the project. It returns a *problem.Error if other
// features or resources need it. migration is the timestamp of the migration that drops
// its tables, if it has any.
func (c Catalog) Remove(p spec.Project, chosen spec.Feature, migration string) (spec.Project, error) {
	f, ok := c.Feature(chosen.Name)
	if !ok {
		return p, &problem.Error{What: fmt.Sprintf("unknown feature %q", chosen.Name), Label: "features", Where: strings.Join(c.names(), " "), Try: "nexios remove --help"}
	}
	without, err := p.RemoveFeature(chosen)
	if err != nil {
		return p, err
	}
	var needing []string
	for _, other := range without.Features {
		g, ok := c.Feature(other.Name)
		if ok && slices.Contains(g.required(other), f.Name) && !without.HasFeature(f.Name) {
			needing = append(needing, strings.TrimSpace(other.Name+" "+other.Options["name"]))
		}
	}
	if len(needing) > 0 {
		return p, &problem.Error{
			What:  f.Name + " is required by other features",
			Label: "features", Where: strings.Join(needing, ", "),
			Try: "nexios remove " + needing[0],
		}
	}
	// The feature with its options.
	at := slices.IndexFunc(p.Features, func(o spec.Feature) bool { return FeatureKey(o) == FeatureKey(chosen) })
	if past := f.part(p, p.Features[at]).past(); len(past.elements)+len(past.lists) > 0 {
		without = without.Drop(f.Name, migration)
	}
	return without, nil
}

func (c Catalog) names() []string {
	var names []string
	for _, f := range c.Features {
		names = append(names, f.Name)
	}
	return names
}

// normalize sets the defaults and rejects invalid options.
func (f Feature) normalize(chosen spec.Feature) (spec.Feature, error) {
	options := map[string]string{}
	for _, o := range f.Options {
		value, given := chosen.Options[o.Name]
		if !given || value == "" && len(o.Choices) > 0 {
			value = o.Default
		}
		words := []string{value}
		if o.Many {
			words = spec.List(value)
			slices.Sort(words)
			words = slices.Compact(words)
			value = strings.Join(words, ",")
		}
		for _, word := range words {
			if len(o.Choices) > 0 && word != "" && !slices.Contains(o.Choices, word) {
				return chosen, &problem.Error{
					What:  fmt.Sprintf("unknown value %q for --%s", word, o.Name),
					Label: "values", Where: strings.Join(o.Choices, " "),
					Try: "nexios add " + f.Name + " --help",
				}
			}
		}
		if value != "" {
			options[o.Name] = value
		}
	}
	normalized := spec.Feature{Name: f.Name, Options: options, Packages: f.Packages, Tables: f.Tables}
	if f.Repeats {
		name := normalized.Package()
		why := spec.Unfit(name)
		if slices.Contains(f.Packages, name) {
			why = "is reserved: every " + f.Name + " uses it"
		}
		if why != "" {
			return chosen, &problem.Error{
				What:  fmt.Sprintf("%q %s", chosen.Options["name"], why),
				Label: "names", Where: "start with a letter; letters, digits and -",
				Try: "nexios add " + f.Example,
			}
		}
		normalized.Packages = append(slices.Clone(f.Packages), name)
	}
	return normalized, nil
}

// Render renders the files of the feature, as selected by its options.
func (f Feature) Render(p spec.Project, chosen spec.Feature) ([]render.File, error) {
	if f.Files == nil {
		return nil, nil
	}
	in := render.Input{Module: p.Module, Words: map[string]string{"project": p.Name}, Data: f.data(p, chosen)}
	if f.Renames != nil {
		in.Renames = f.Renames(chosen)
	}
	if f.Keep != nil {
		in.Keep = func(path string) bool { return f.Keep(chosen, path) }
	}
	return render.Tree(f.Files, in)
}

func (f Feature) data(p spec.Project, chosen spec.Feature) any {
	if f.Data == nil {
		return nil
	}
	return f.Data(p, chosen)
}
