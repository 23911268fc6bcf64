// Package jobs says how background jobs are added to a project: it is only
// hooked in, since all of it is in the runtime.
package jobs

import (
	"embed"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Feature returns how background jobs are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "jobs",
		Summary:  "Durable background jobs in the project's own database",
		Example:  "jobs",
		Packages: []string{"jobs"},
		Tables:   []string{"jobs"},
		Files:    embed.FS{}, // none
		Edits:    edits,
	}
}

const (
	modules    = "internal/app/modules.go"
	migrations = "internal/migrations/migrations.go"
	runtime    = "github.com/nexios-go/nexios"
)

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: runtime + "/runtime/jobs"},
		{Path: modules, Op: edit.AddStatement, In: "modules", Text: "queue := jobs.New(gdb, log)"},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: "jobs.Module(queue)"},
		{Path: migrations, Op: edit.AddImport, Text: runtime + "/runtime/jobs"},
		{Path: migrations, Op: edit.AddArgument, In: "All", Text: "jobs.Migrations()"},
	}
}
