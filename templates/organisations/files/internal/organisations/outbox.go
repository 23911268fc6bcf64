package organisations

import (
	"context"
	"embed"
	"io/fs"
	"strings"

	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
)

//go:embed mails
var mails embed.FS

// outbox sends the e-mails of this module.
type outbox struct {
	url     string
	mailer  *mail.Mailer
	letters *mail.Set
}

func newOutbox(url string, cfg mail.Config) (outbox, error) {
	mailer, err := mail.New(cfg)
	if err != nil {
		return outbox{}, err
	}
	files, err := fs.Sub(mails, "mails")
	if err != nil {
		return outbox{}, err
	}
	letters, err := mail.Templates(files)
	return outbox{strings.TrimSuffix(url, "/"), mailer, letters}, err
}

// letter is the data of the invitation's templates. The token is in the fragment of
// the link, which browsers do not send to servers.
type letter struct{ Inviter, Organisation, Link, Token string }

// send sends an invitation. Permanent errors are not retried.
func (o outbox) send(ctx context.Context, to string, data letter) error {
	message, err := o.letters.Message(to, "invitation", data)
	if err != nil {
		return jobs.Permanent(err)
	}
	err = o.mailer.Send(ctx, message)
	if mail.IsPermanent(err) {
		return jobs.Permanent(err)
	}
	return err
}
