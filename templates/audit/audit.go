// Package audit adds a log of what is changed, by whom. All of it is the runtime's;
// a project gets one line for its modules and one for its migrations.
package audit

import (
	"embed"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Feature returns how the audit log is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "audit",
		Summary:  "Append-only log of every change, for administrators",
		Example:  "audit",
		Packages: []string{"audit"},
		Tables:   []string{"audit_entries", "audit_heads"},
		Requires: []string{"auth"},
		Files:    embed.FS{}, // none
		Edits:    edits,
	}
}

const (
	modules    = "internal/app/modules.go"
	migrations = "internal/migrations/migrations.go"
	runtime    = "github.com/nexios-go/nexios/runtime/audit"
)

func edits(spec.Project, spec.Feature) []edit.Edit {
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: runtime},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: "audit.Module(gdb).Under(api)"},
		{Path: migrations, Op: edit.AddImport, Text: runtime},
		{Path: migrations, Op: edit.AddArgument, In: "All", Text: "audit.Migrations()"},
	}
}
