// Package jobs adds background jobs. The code is in the runtime; a project gets one
// line.
package jobs

import (
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// Feature returns how background jobs are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "jobs",
		Summary:  "Durable background jobs in the project's own database",
		Example:  "jobs",
		Packages: []string{"jobs", "queue"},
		Tables:   []string{"jobs"},
		Edits:    edits,
	}
}

func edits(spec.Project, spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Variable(hook.Runtime+"jobs", "queue := jobs.New(gdb, log)"),
		hook.Module(hook.Runtime+"jobs", "jobs.Module(queue)"),
		hook.Migrations(hook.Runtime+"jobs", "jobs.Migrations()"),
	)
}
