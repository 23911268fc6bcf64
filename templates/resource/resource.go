// Package resource holds the files of a resource: its model, its migration and
// the module that serves it.
package resource

import (
	"embed"
	"io/fs"
)

//go:embed all:files
var files embed.FS

// Files returns the tree of files, which mirrors a project.
func Files() fs.FS {
	tree, err := fs.Sub(files, "files")
	if err != nil {
		panic(err) // the path is valid
	}
	return tree
}
