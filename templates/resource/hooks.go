package resource

import (
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

// edits hook the resource into the project: its migration into the history and
// its room into the map.
func edits(v view.Resource) []edit.Edit {
	list := []edit.Edit{
		{Path: "internal/migrations/migrations.go", Op: edit.AddElement, In: "All", Text: v.Migration.Func + "()"},
	}
	if v.Routes {
		list = append(list,
			edit.Edit{Path: "internal/app/modules.go", Op: edit.AddImport, Text: v.Module + "/internal/" + v.Package},
			edit.Edit{Path: "internal/app/modules.go", Op: edit.AddElement, In: "modules", Text: v.Package + ".Module(gdb).Under(api)"},
		)
	}
	return list
}
