// Package pages holds the files of HTML pages: a layout, a home page, a page
// for errors and a style sheet.
package pages

import (
	"embed"
	"io/fs"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// The browser test beside the module stays here.
//
//go:embed files/internal/pages
var files embed.FS

// Files returns the tree of files, which mirrors a project.
func Files() fs.FS {
	tree, err := fs.Sub(files, "files")
	if err != nil {
		panic(err) // the path is valid
	}
	return tree
}

// Feature returns how pages are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "pages",
		Summary:  "HTML pages with layouts, filters and static files",
		Example:  "pages",
		Packages: []string{"pages"},
		Files:    Files(),
		Edits:    edits,
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return []edit.Edit{
		{Path: "internal/app/modules.go", Op: edit.AddImport, Text: p.Module + "/internal/pages"},
		{Path: "internal/app/modules.go", Op: edit.AddElement, In: "modules", Text: "pages.Module(cfg.Env)"},
	}
}
