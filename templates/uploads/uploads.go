// Package uploads holds the files of uploads: the module that stores and serves files.
package uploads

import (
	"embed"
	"regexp"
	"slices"
	"strconv"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The migrations beside the module are stand-ins for a project's.
//
//go:embed files/internal/uploads
var files embed.FS

// The defaults of the options.
const (
	store = "local"
	size  = "10MiB"
)

// Feature returns how uploads are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "uploads",
		Summary:  "File upload and download, stored on disk or in S3",
		Example:  "uploads --max 20MiB --types image,pdf",
		Packages: []string{"uploads", "files"},
		Tables:   []string{"files"},
		Requires: []string{"auth"},
		Options: []scaffold.Option{
			{Name: "store", Help: "where to store files", Default: store, Choices: []string{store, "s3"},
				About: map[string]string{store: "a folder on this machine", "s3": "S3 or a compatible server"}},
			{Name: "max", Help: "maximum file size, e.g. 500KB or 20MiB", Default: size},
			{Name: "types", Help: "allowed types, by content (default: all)", Many: true,
				Choices: []string{"image", "audio", "video", "text", "pdf", "zip", "json", "csv"}},
		},
		Files: hook.Files(files),
		Edits: edits,
		Check: check,
	}
}

func edits(p spec.Project, f spec.Feature) []edit.Edit {
	lines := settings(f)
	return slices.Concat(
		hook.Module(p.Module+"/internal/uploads", "uploads.Module(cfg.Files, gdb, queue).Under(api)"),
		hook.Config(hook.Runtime+"files", "Files files.Config"),
		hook.Migrations(hook.Runtime+"files", "files.Migrations()"),
		hook.Example(lines...),
		hook.Local(lines...),
	)
}

// settings returns the lines of .env that differ from the runtime's defaults.
func settings(f spec.Feature) []string {
	var lines []string
	if f.Options["store"] == "s3" {
		lines = append(lines, "FILES_URL=s3://key:secret@127.0.0.1:9000/uploads?tls=off")
	}
	if m := f.Options["max"]; m != "" && m != size {
		lines = append(lines, "FILES_MAX="+m)
	}
	if types := f.Options["types"]; types != "" {
		lines = append(lines, "FILES_TYPES="+types)
	}
	return lines
}

var sizeForm = regexp.MustCompile(`^[1-9][0-9]{0,8}(?i:[KMG]?B|[KMG]iB)?$`)

func check(_ spec.Project, f spec.Feature) error {
	if m := f.Options["max"]; m != "" && !sizeForm.MatchString(m) {
		return &problem.Error{What: strconv.Quote(m) + " is not a valid size", Label: "sizes", Where: "500KB 10MiB 2GiB", Try: "nexios add uploads --max 10MiB"}
	}
	return nil
}
