// Package resource holds the files of a resource: its model, its migration and
// the module that serves it.
package resource

import "embed"

//go:embed all:files
var files embed.FS
