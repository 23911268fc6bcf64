// Package tour holds the files of the tour: short examples of routing and
// answers.
package tour

import (
	"embed"
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The other files beside model and migration are stand-ins for a project's.
//
//go:embed files/internal/tour files/internal/model/tour_user.go
//go:embed files/internal/migrations/20260101000300_create_tour_users.go
var files embed.FS

// Feature returns how the tour is added to a project. Its users have their own table,
// tour_users, independent of a project's users.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "tour",
		Summary:  "Short examples of routes, inputs and responses",
		Example:  "tour",
		Packages: []string{"tour"},
		Tables:   []string{"tour_users"},
		Files:    hook.Files(files),
		Edits:    edits,
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Module(p.Module+"/internal/tour", "tour.Module(gdb)"),
		hook.Migration("createTourUsers()"),
	)
}
