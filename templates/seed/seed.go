// Package seed holds the files of seeds: the sample rows of a development database.
package seed

import (
	"embed"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The migrations beside the module are stand-ins for a project's.
//
//go:embed files/internal/seed
var files embed.FS

// Feature returns how seeds are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "seed",
		Summary:  "Sample rows for development",
		Example:  "seed",
		Packages: []string{"seed"},
		Files:    hook.Files(files),
		Edits:    edits,
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return hook.Module(p.Module+"/internal/seed", "seed.Module(gdb)")
}
