package resource

import (
	"fmt"
	"strings"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/view"
	"github.com/nexios-go/nexios/templates/hook"
)

// Resource returns how a resource is generated from its view.
func Resource() scaffold.Resource {
	return scaffold.Resource{
		Files: hook.Files(files),
		Words: func(v view.Resource) map[string]string { return v.Words },
		Keep: func(v view.Resource, path string) bool {
			return v.Routes || !strings.HasPrefix(path, "internal/{package}/")
		},
		Edits: edits,
		Mount: mounted,
	}
}

const uploads = "internal/uploads/uploads.go"

// edits adds the resource to the project: its migrations to the history, its module
// to the list of modules, and the columns that refer to uploads to the list by which
// unused uploads are found.
func edits(v view.Resource) []edit.Edit {
	var list []edit.Edit
	for _, m := range v.Migrations {
		list = append(list, hook.Migration(m.Func+"()")...)
	}
	for _, column := range v.Uploads {
		element := fmt.Sprintf("{Table: %q, Name: %q}", v.Table, column)
		if v.Model.Has("Readable") {
			element = fmt.Sprintf("{Table: %q, Name: %q, Rows: model.%s{}}", v.Table, column, v.Type)
			list = append(list, edit.Edit{Path: uploads, Op: edit.AddImport, Text: v.Module + "/internal/model"})
		}
		list = append(list, edit.Edit{Path: uploads, Op: edit.AddElement, In: "references", Text: element})
	}
	return append(list, mounted(v)...)
}

// mounted adds the module to the list of modules.
func mounted(v view.Resource) []edit.Edit {
	if !v.Routes {
		return nil
	}
	return hook.Module(v.Module+"/internal/"+v.Package, v.Package+".Module(gdb).Under("+v.Under+")")
}
