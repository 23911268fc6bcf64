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

// post sends the letters of this room.
type post struct {
	url     string
	mailer  *mail.Mailer
	letters *mail.Set
}

func newPost(url string, cfg mail.Config) (post, error) {
	mailer, err := mail.New(cfg)
	if err != nil {
		return post{}, err
	}
	files, err := fs.Sub(mails, "mails")
	if err != nil {
		return post{}, err
	}
	letters, err := mail.Templates(files)
	return post{strings.TrimSuffix(url, "/"), mailer, letters}, err
}

// letter is what the templates of an invitation read. The token is in the
// fragment of the link, which browsers send to no server.
type letter struct{ Inviter, Organisation, Link, Token string }

// send sends an invitation. Permanent errors are not retried.
func (p post) send(ctx context.Context, to string, data letter) error {
	message, err := p.letters.Message(to, "invitation", data)
	if err != nil {
		return jobs.Permanent(err)
	}
	err = p.mailer.Send(ctx, message)
	if mail.IsPermanent(err) {
		return jobs.Permanent(err)
	}
	return err
}
