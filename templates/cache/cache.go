// Package cache adds a cache. The code is in the runtime; a project gets a store for
// the modules that use it.
package cache

import (
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// Feature returns how a cache is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "cache",
		Summary:  "Cache of expensive results, in Redis or in memory",
		Example:  "cache",
		Requires: []string{"redis"},
		Packages: []string{"cache", "cached"},
		Edits:    edits,
		Next: func(spec.Project, spec.Feature) []string {
			return []string{"pass cached to a module that needs it, and call cache.Get: nexios help cache"}
		},
	}
}

func edits(spec.Project, spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Variable(hook.Runtime+"cache", "cached := cache.New(cfg.Redis, log)"),
		hook.Module(hook.Runtime+"cache", "cached.Module()"),
	)
}
