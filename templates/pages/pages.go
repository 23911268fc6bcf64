// Package pages holds the files of HTML pages: a layout, a home page, a page
// for errors and a style sheet.
package pages

import (
	"embed"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The browser test beside the module stays here.
//
//go:embed files/internal/pages
var files embed.FS

// Feature returns how pages are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "pages",
		Summary:  "HTML pages with layouts, filters and static files",
		Example:  "pages",
		Packages: []string{"pages"},
		Files:    hook.Files(files),
		Edits:    edits,
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return hook.Module(p.Module+"/internal/pages", "pages.Module(cfg.Env)")
}
