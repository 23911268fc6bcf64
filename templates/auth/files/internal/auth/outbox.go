package auth

import (
	"context"
	"embed"
	"io/fs"

	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
)

//go:embed mails
var mails embed.FS

// outbox sends the e-mails of this module.
type outbox struct {
	mailer    *mail.Mailer
	templates *mail.Set
}

func newOutbox(cfg mail.Config) (outbox, error) {
	mailer, err := mail.New(cfg)
	if err != nil {
		return outbox{}, err
	}
	files, err := fs.Sub(mails, "mails")
	if err != nil {
		return outbox{}, err
	}
	templates, err := mail.Templates(files)
	return outbox{mailer, templates}, err
}

// send sends the e-mail of that template. Permanent errors are not retried.
func (o outbox) send(ctx context.Context, to, name string, data any) error {
	message, err := o.templates.Message(to, name, data)
	if err != nil {
		return jobs.Permanent(err)
	}
	if err = o.mailer.Send(ctx, message); mail.IsPermanent(err) {
		return jobs.Permanent(err)
	}
	return err
}
