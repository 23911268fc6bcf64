// Package mail holds the files of mail: the module that sends the project's
// mails, each a background job with an HTML and a text template.
package mail

import (
	"embed"
	"io/fs"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// The migrations beside the module only stand in for a project's.
//
//go:embed files/internal/mail
var files embed.FS

// Files returns the tree of files, which mirrors a project.
func Files() fs.FS {
	tree, err := fs.Sub(files, "files")
	if err != nil {
		panic(err) // the path is valid
	}
	return tree
}

// Feature returns how mail is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "mail",
		Summary:  "E-mail from HTML and text templates",
		Example:  "mail",
		Packages: []string{"mail"},
		Requires: []string{"jobs"},
		Files:    Files(),
		Edits:    edits,
	}
}

const (
	modules = "internal/app/modules.go"
	config  = "internal/app/config.go"
	runtime = "github.com/nexios-go/nexios"
)

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: p.Module + "/internal/mail"},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: "mail.Module(cfg.Mail, queue)"},
		{Path: config, Op: edit.AddImport, Text: runtime + "/runtime/mail"},
		{Path: config, Op: edit.AddField, In: "Config", Text: "Mail mail.Config"},
		{Path: ".env.example", Op: edit.AddLine, Text: "SMTP_URL=file:tmp/mail"},
		{Path: ".env.example", Op: edit.AddLine, Text: "MAIL_FROM=" + p.Name + " <" + p.Name + "@localhost>"},
	}
}
