package resource

import (
	"fmt"
	"strings"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/view"
)

// Resource returns how a resource is generated from its view.
func Resource() scaffold.Resource {
	return scaffold.Resource{
		Files: Files(),
		Words: func(v view.Resource) map[string]string { return v.Words },
		Keep: func(v view.Resource, path string) bool {
			return v.Routes || !strings.HasPrefix(path, "internal/{room}/")
		},
		Edits: edits,
	}
}

// edits hook the resource into the project: its migrations into the history, its
// room into the map, and the columns that refer to uploads into the list by
// which unused ones are found.
func edits(v view.Resource) []edit.Edit {
	var list []edit.Edit
	for _, m := range v.Migrations {
		list = append(list, edit.Edit{Path: "internal/migrations/migrations.go", Op: edit.AddElement, In: "All", Text: m.Func + "()"})
	}
	for _, column := range v.Uploads {
		list = append(list, edit.Edit{
			Path: "internal/uploads/uploads.go", Op: edit.AddElement, In: "references",
			Text: fmt.Sprintf("{Table: %q, Name: %q}", v.Table, column),
		})
	}
	if v.Routes {
		list = append(list,
			edit.Edit{Path: "internal/app/modules.go", Op: edit.AddImport, Text: v.Module + "/internal/" + v.Package},
			edit.Edit{Path: "internal/app/modules.go", Op: edit.AddElement, In: "modules", Text: v.Package + ".Module(gdb).Under(api)"},
		)
	}
	return list
}
