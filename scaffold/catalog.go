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

// Catalog is everything that can be generated. Package templates makes it.
type Catalog struct {
	Version      string            // of the tool and of the runtime: one number
	Project      fs.FS             // the files that every project has
	Containers   fs.FS             // what runs a project in containers, which follows its features
	Reversal     fs.FS             // a migration that takes others back
	Migration    fs.FS             // a migration that does nothing yet
	Baseline     fs.FS             // a migration that builds a schema that was there before
	Resource     Resource          // what a resource adds
	Features     []Feature         // what else can be added, each after what it requires
	Runtime      map[string][]byte // the runtime's source, by path below runtime/
	Requirements Requirements
	// Secret is a fresh random one, of which a plan takes what it writes for
	// {secret} in an edit. It goes into files that git ignores and nowhere else.
	Secret string
}

// Resource is how one resource is generated from its view.
type Resource struct {
	Files fs.FS
	Words func(view.Resource) map[string]string
	Keep  func(view.Resource, string) bool
	Edits func(view.Resource) []edit.Edit
	Mount func(view.Resource) []edit.Edit // those of another version of the routes
}

// renderRoom makes the files of another version of the routes.
func (r Resource) renderRoom(v view.Resource) ([]render.File, error) {
	return render.Tree(r.Files, render.Input{
		Module: v.Module, Words: r.Words(v), Data: v,
		Keep: func(path string) bool { return strings.HasPrefix(path, "internal/{room}/") && r.Keep(v, path) },
	})
}

// Render makes the files of a resource: those of its view, and one of each
// migration.
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

// history is where a project has its migrations.
const history = "internal/migrations/"

// Feature is something that a project can have besides its resources: one
// folder of package templates, one literal.
type Feature struct {
	Name     string   // the word after `nexios add`
	Summary  string   // one line, no full stop
	Example  string   // as typed after `nexios add `
	Requires []string // features that a project must have first; they are added as well
	Options  []Option // flags of the command, questions of the wizard
	Repeats  bool     // several can be added, told apart by the option "name"
	Grows    bool     // added again, its lists of options gain what is said then
	Tables   []string // that its migrations make, and those of what it takes from the runtime
	// Packages are the names that it brings to internal and to internal/app, besides
	// the one that its option "name" names.
	Packages []string
	Files    fs.FS                                        // those of the project; nil where all of it is the runtime's
	Needs    func(spec.Feature) []string                  // more that it requires, as the options say; nil for none
	Renames  func(spec.Feature) []string                  // words of copied files, each before what it becomes; nil for none
	Data     func(spec.Project, spec.Feature) any         // for .tmpl files; nil for none
	Keep     func(spec.Feature, string) bool              // which files the options choose; nil for all
	Edits    func(spec.Project, spec.Feature) []edit.Edit // where it is hooked into the project; nil for nowhere
	Check    func(spec.Project, spec.Feature) error       // refuses bad options; nil accepts
	Next     func(spec.Project, spec.Feature) []string    // what to type once it is added; nil for nothing of its own
	// Also changes what is in the project already; nil changes nothing.
	Also func(spec.Project, spec.Feature) (spec.Project, error)
}

// Option is one choice of a feature.
type Option struct {
	Name    string
	Help    string
	Default string
	Choices []string          // what it may be; empty for free text
	About   map[string]string // a few words on each choice; nil for none
	Many    bool              // a list of choices, with / or commas, which PowerShell takes for spaces
	None    string            // the choice that stands for an empty list; "" where there is none
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

// required are the features that a project must have before chosen.
func (f Feature) required(chosen spec.Feature) []string {
	if f.Needs == nil {
		return f.Requires
	}
	return slices.Concat(f.Requires, f.Needs(chosen))
}

// Add returns the project with the feature, and with those that it requires
// and the project does not have, in front of it.
func (c Catalog) Add(p spec.Project, chosen spec.Feature) (spec.Project, error) {
	f, ok := c.Feature(chosen.Name)
	if !ok {
		return p, &problem.Error{What: fmt.Sprintf("unknown feature %q", chosen.Name), Label: "features", Where: strings.Join(c.names(), " "), Try: "nexios add --help"}
	}
	said := chosen
	chosen, err := f.settle(chosen)
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
		p.Features[at], err = f.settle(f.joined(p.Features[at], said))
	} else {
		p, err = p.AddFeature(chosen)
	}
	if err != nil || f.Also == nil {
		return p, err
	}
	return f.Also(p, chosen)
}

// joined is a feature that is there with what lists of either have; what is not
// said again stays.
func (f Feature) joined(a, b spec.Feature) spec.Feature {
	options := maps.Clone(a.Options)
	for _, o := range f.Options {
		said, ok := b.Options[o.Name]
		switch {
		case !ok:
		case o.Many:
			words := append(spec.List(a.Options[o.Name]), spec.List(said)...)
			words = slices.DeleteFunc(words, func(word string) bool { return o.None != "" && word == o.None })
			options[o.Name] = cmp.Or(strings.Join(words, ","), o.None)
		default:
			options[o.Name] = said
		}
	}
	return spec.Feature{Name: b.Name, Options: options} // which Add settles
}

// Known returns a project that was read with what the catalog knows of its
// features. One whose record names features or options that Add would not have
// recorded is a *problem.Error.
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
		settled, err := f.settle(chosen)
		if err != nil {
			return p, err
		}
		for name := range chosen.Options {
			if settled.Options[name] != chosen.Options[name] {
				return p, &problem.Error{
					What:  fmt.Sprintf("%s has an unexpected value %q for %s of %s", SpecFile, chosen.Options[name], name, f.Name),
					Where: SpecFile, Try: "git checkout " + SpecFile,
				}
			}
		}
		p.Features[i] = settled
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

// Remove returns the project without the feature. One that other features or
// resources need is a *problem.Error that names them. migration is when its tables
// are dropped, if it has any.
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
	// What was chosen, with its options.
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

// settle fills in the defaults and refuses what an option cannot be.
func (f Feature) settle(chosen spec.Feature) (spec.Feature, error) {
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
	settled := spec.Feature{Name: f.Name, Options: options, Packages: f.Packages, Tables: f.Tables}
	if f.Repeats {
		name := settled.Package()
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
		settled.Packages = append(slices.Clone(f.Packages), name)
	}
	return settled, nil
}

// Render makes the files of the feature, as its options choose them.
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
