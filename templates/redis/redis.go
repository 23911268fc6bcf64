// Package redis joins the replicas of a project: they count the requests of
// RATE_LIMIT together. All of it is the runtime's; a project gets one line.
package redis

import (
	"embed"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Feature returns how Redis is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "redis",
		Summary:  "Redis, to share the rate limit between replicas",
		Example:  "redis",
		Packages: []string{"redis"},
		Files:    embed.FS{}, // none
		Edits:    edits,
	}
}

const (
	modules = "internal/app/modules.go"
	config  = "internal/app/config.go"
	runtime = "github.com/nexios-go/nexios/runtime/redis"
)

func edits(spec.Project, spec.Feature) []edit.Edit {
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: runtime},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: "redis.Module(cfg.Redis)"},
		{Path: config, Op: edit.AddImport, Text: runtime},
		{Path: config, Op: edit.AddField, In: "Config", Text: "Redis redis.Config"},
		{Path: ".env.example", Op: edit.AddLine, Text: "REDIS_URL="},
	}
}
