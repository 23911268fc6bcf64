// Package seed holds the files of seeds: the rows that a developer's database
// begins with.
package seed

import (
	"embed"
	"io/fs"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// The migrations beside the module only stand in for a project's.
//
//go:embed files/internal/seed
var files embed.FS

// Files returns the tree of files, which mirrors a project.
func Files() fs.FS {
	tree, err := fs.Sub(files, "files")
	if err != nil {
		panic(err) // the path is valid
	}
	return tree
}

// Feature returns how seeds are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "seed",
		Summary:  "Sample rows for development",
		Example:  "seed",
		Packages: []string{"seed"},
		Files:    Files(),
		Edits:    edits,
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return []edit.Edit{
		{Path: "internal/app/modules.go", Op: edit.AddImport, Text: p.Module + "/internal/seed"},
		{Path: "internal/app/modules.go", Op: edit.AddElement, In: "modules", Text: "seed.Module(gdb)"},
	}
}
