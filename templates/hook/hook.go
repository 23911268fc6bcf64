// Package hook adds features to a project: each function returns the edits of one
// file, and a feature's Edits are several of them joined. The paths of the files, and
// of the runtime's packages, are defined here and in no feature.
package hook

import (
	"embed"
	"io/fs"

	"github.com/nexios-go/nexios/scaffold/edit"
)

// Files returns the tree of what a feature embeds below its folder files, which mirrors
// a project.
func Files(embedded embed.FS) fs.FS {
	tree, err := fs.Sub(embedded, "files")
	if err != nil {
		panic(err) // the path is valid
	}
	return tree
}

// Runtime is the import path of the packages that generated code uses.
const Runtime = "github.com/nexios-go/nexios/runtime/"

const (
	modules    = "internal/app/modules.go"
	config     = "internal/app/config.go"
	migrations = "internal/migrations/migrations.go"
	example    = ".env.example"
	local      = ".env"
)

// Module mounts the module that an expression makes, by a package that is imported
// from path.
func Module(path, expression string) []edit.Edit {
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: path},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: expression},
	}
}

// Variable puts a statement before the modules, which they use, by a package that is
// imported from path.
func Variable(path, statement string) []edit.Edit {
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: path},
		{Path: modules, Op: edit.AddStatement, In: "modules", Text: statement},
	}
}

// Config adds a field to the project's settings, whose type is of the package that is
// imported from path.
func Config(path, field string) []edit.Edit {
	return []edit.Edit{
		{Path: config, Op: edit.AddImport, Text: path},
		{Path: config, Op: edit.AddField, In: "Config", Text: field},
	}
}

// Migration adds a migration of the project's own, which a call returns.
func Migration(call string) []edit.Edit {
	return []edit.Edit{{Path: migrations, Op: edit.AddElement, In: "All", Text: call}}
}

// Migrations adds those that a call to the package returns which is imported from path.
func Migrations(path, call string) []edit.Edit {
	return []edit.Edit{
		{Path: migrations, Op: edit.AddImport, Text: path},
		{Path: migrations, Op: edit.AddArgument, In: "All", Text: call},
	}
}

// Example adds lines to .env.example, which is committed.
func Example(lines ...string) []edit.Edit { return settings(example, lines) }

// Local adds lines to .env, which is not. {secret} in them is a new one.
func Local(lines ...string) []edit.Edit { return settings(local, lines) }

func settings(path string, lines []string) []edit.Edit {
	var list []edit.Edit
	for _, line := range lines {
		list = append(list, edit.Edit{Path: path, Op: edit.AddLine, Text: line})
	}
	return list
}
