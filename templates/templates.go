// Package templates is the list of what can be generated: the project, its
// resources and its features, one folder each.
package templates

import (
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/project"
	"github.com/nexios-go/nexios/templates/resource"
)

// Catalog returns everything that can be generated.
func Catalog() (scaffold.Catalog, error) {
	source, err := runtime.Source()
	if err != nil {
		return scaffold.Catalog{}, err
	}
	requirements, err := scaffold.ParseRequirements(project.Requirements())
	if err != nil {
		return scaffold.Catalog{}, err
	}
	files, err := project.Files()
	if err != nil {
		return scaffold.Catalog{}, err
	}
	return scaffold.Catalog{
		Version:      runtime.Version,
		Project:      files,
		Resource:     resource.Resource(),
		Features:     Features(),
		Runtime:      source,
		Requirements: requirements,
	}, nil
}

// Features returns what can be added to a project besides resources, each
// after what it requires.
func Features() []scaffold.Feature {
	return []scaffold.Feature{}
}

// Presets are the names that Preset knows.
func Presets() []string { return []string{"minimal", "guide"} }

// Preset returns the new project p with what the preset starts it with.
// migration is when its first migration is made.
func Preset(p spec.Project, name, migration string) (spec.Project, error) {
	switch name {
	case "minimal":
		return p, nil
	case "guide":
		return p, nil
	}
	return p, &spec.Error{What: "unknown preset " + strconv.Quote(name), Label: "presets", Where: strings.Join(Presets(), " "), Try: "nexios new " + p.Name}
}
