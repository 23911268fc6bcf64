// Package templates lists what can be generated: the project, its resources and its
// features, one directory each.
package templates

import (
	"crypto/rand"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/audit"
	"github.com/nexios-go/nexios/templates/auth"
	"github.com/nexios-go/nexios/templates/cache"
	"github.com/nexios-go/nexios/templates/deploy"
	"github.com/nexios-go/nexios/templates/extras"
	"github.com/nexios-go/nexios/templates/jobs"
	"github.com/nexios-go/nexios/templates/mail"
	"github.com/nexios-go/nexios/templates/metrics"
	"github.com/nexios-go/nexios/templates/organisations"
	"github.com/nexios-go/nexios/templates/pages"
	"github.com/nexios-go/nexios/templates/project"
	"github.com/nexios-go/nexios/templates/redis"
	"github.com/nexios-go/nexios/templates/resource"
	"github.com/nexios-go/nexios/templates/seed"
	"github.com/nexios-go/nexios/templates/tour"
	"github.com/nexios-go/nexios/templates/traces"
	"github.com/nexios-go/nexios/templates/uploads"
	"github.com/nexios-go/nexios/templates/websocket"
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
	containers, err := project.Containers()
	if err != nil {
		return scaffold.Catalog{}, err
	}
	reversal, err := project.Reversal()
	if err != nil {
		return scaffold.Catalog{}, err
	}
	baseline, err := project.Baseline()
	if err != nil {
		return scaffold.Catalog{}, err
	}
	migration, err := project.Migration()
	if err != nil {
		return scaffold.Catalog{}, err
	}
	return scaffold.Catalog{
		Version:      runtime.Version,
		Project:      files,
		Containers:   containers,
		Reversal:     reversal,
		Migration:    migration,
		Baseline:     baseline,
		Resource:     resource.Resource(),
		Features:     Features(),
		Runtime:      source,
		Requirements: requirements,
		Secret:       rand.Text() + rand.Text(),
	}, nil
}

// Features returns the features that can be added to a project, each after those it
// requires.
func Features() []scaffold.Feature {
	return []scaffold.Feature{
		jobs.Feature(),
		mail.Feature(),
		auth.Feature(),
		audit.Feature(),
		organisations.Feature(),
		uploads.Feature(),
		redis.Feature(),
		cache.Feature(),
		websocket.Feature(),
		pages.Feature(),
		metrics.Feature(),
		traces.Feature(),
		seed.Feature(),
		tour.Feature(),
		deploy.Feature(),
		extras.Feature(),
	}
}

// Presets are the names that Preset accepts.
func Presets() []string { return []string{"minimal", "guide"} }

// Preset returns the new project p with the features and resources of the preset.
// migration is the time stamp of its first migration.
func Preset(c scaffold.Catalog, p spec.Project, name, migration string) (spec.Project, error) {
	switch name {
	case "minimal":
		return p, nil
	case "guide":
		return guide(c, p, migration)
	}
	return p, &problem.Error{
		What:  "unknown preset " + strconv.Quote(name),
		Label: "presets", Where: strings.Join(Presets(), " "),
		Try: "nexios new " + p.Name,
	}
}

// guide returns a blog with every feature.
func guide(c scaffold.Catalog, p spec.Project, migration string) (spec.Project, error) {
	for _, f := range []spec.Feature{
		{Name: "auth"},
		{Name: "uploads"},
		{Name: "websocket", Options: map[string]string{"name": "chat"}},
		{Name: "websocket", Options: map[string]string{"name": "echo", "kind": "echo"}},
		{Name: "pages"},
		{Name: "metrics"},
		{Name: "traces"},
		{Name: "tour"},
	} {
		var err error
		if p, err = c.Add(p, f); err != nil {
			return p, err
		}
	}
	p, _, err := p.Add(spec.Resource{
		Name: "post",
		Fields: []string{
			"title:string:min=3:search:sort",
			"content:text:search",
			"published:bool:default=false:index:filter",
			"category:string:optional:filter",
		},
		Owner:     true,
		Public:    "published",
		Migration: migration,
	})
	return p, err
}
