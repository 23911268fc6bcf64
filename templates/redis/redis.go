// Package redis adds Redis, which replicas share rate limits and rooms through. The
// code is in the runtime; a project gets one line.
package redis

import (
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// Feature returns how Redis is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "redis",
		Summary:  "Redis, to share rate limits and rooms between replicas",
		Example:  "redis",
		Packages: []string{"redis"},
		Edits:    edits,
		Next: func(spec.Project, spec.Feature) []string {
			return []string{"put REDIS_URL=redis://localhost:6379/0 into .env to use a server"}
		},
	}
}

func edits(spec.Project, spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Module(hook.Runtime+"redis", "redis.Module(cfg.Redis)"),
		hook.Config(hook.Runtime+"redis", "Redis redis.Config"),
		hook.Example("REDIS_URL="),
	)
}
