// Package project is what every project starts with: the program, its
// settings, its map of modules and its papers.
package project

import (
	"embed"
	"io/fs"
)

//go:embed all:files
var files embed.FS

//go:embed all:containers
var containers embed.FS

//go:embed all:reversal
var reversal embed.FS

//go:embed all:migration
var migration embed.FS

//go:embed all:baseline
var baseline embed.FS

//go:embed requirements.json
var requirements []byte

// Files returns the tree that mirrors a new project.
func Files() (fs.FS, error) { return fs.Sub(files, "files") }

// Containers returns the tree of what runs a project in containers.
func Containers() (fs.FS, error) { return fs.Sub(containers, "containers") }

// Reversal returns the tree of a migration that takes others back.
func Reversal() (fs.FS, error) { return fs.Sub(reversal, "reversal") }

// Migration returns the tree of a migration that does nothing yet.
func Migration() (fs.FS, error) { return fs.Sub(migration, "migration") }

// Baseline returns the tree of a migration that builds a schema that was there
// before.
func Baseline() (fs.FS, error) { return fs.Sub(baseline, "baseline") }

// Requirements returns what go.mod and go.sum of a project need; see
// scaffold.Requirements.
func Requirements() []byte { return requirements }
