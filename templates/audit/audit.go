// Package audit adds a log of changes and who made them. The code is in the runtime;
// a project gets one line in its modules and one in its migrations.
package audit

import (
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
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
		Edits:    edits,
	}
}

func edits(spec.Project, spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Module(hook.Runtime+"audit", "audit.Module(gdb).Under(api)"),
		hook.Migrations(hook.Runtime+"audit", "audit.Migrations()"),
	)
}
