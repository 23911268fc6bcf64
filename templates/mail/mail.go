// Package mail holds the files of mail: the module that sends the project's
// mails, each a background job with an HTML and a text template.
package mail

import (
	"embed"
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// The migrations beside the module are stand-ins for a project's.
//
//go:embed files/internal/mail
var files embed.FS

// Feature returns how mail is added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "mail",
		Summary:  "E-mail from HTML and text templates",
		Example:  "mail",
		Packages: []string{"mail"},
		Requires: []string{"jobs"},
		Files:    hook.Files(files),
		Edits:    edits,
		Next: func(spec.Project, spec.Feature) []string {
			return []string{"read development mail at /dev/mail, or put SMTP_URL into .env to send it"}
		},
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Module(p.Module+"/internal/mail", "mail.Module(cfg.Mail, queue)"),
		hook.Config(hook.Runtime+"mail", "Mail mail.Config"),
		hook.Example("SMTP_URL=file:tmp/mail", "MAIL_FROM="+p.Name+" <"+p.Name+"@localhost>"),
	)
}
