// Package mail sends the application's mails. Each is a background job that any
// module may enqueue, with an HTML and a text template.
package mail

import (
	"context"
	"embed"
	"io/fs"

	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
)

//go:embed templates
var templates embed.FS

type handler struct {
	mailer  *mail.Mailer
	letters *mail.Set
}

// Module returns the jobs that send mail and, in development, the pages at
// /dev/mail.
func Module(cfg mail.Config, queue *jobs.Queue) web.Module {
	mailer, err := mail.New(cfg)
	if err != nil {
		return web.Module{Name: "mail", Err: err}
	}
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return web.Module{Name: "mail", Err: err}
	}
	letters, err := mail.Templates(files)
	if err != nil {
		return web.Module{Name: "mail", Err: err}
	}
	h := handler{mailer, letters}
	jobs.Handle(queue, "mail.welcome", h.welcome)
	return web.Module{Name: "mail", Routes: mailer.Preview(cfg)}
}

// welcome is the payload of the job mail.welcome.
type welcome struct {
	To       string `json:"to"`
	Username string `json:"username"`
	Link     string `json:"link"` // to get started; optional
}

func (h handler) welcome(ctx context.Context, in welcome) error {
	return h.send(ctx, in.To, "welcome", in)
}

// send renders the templates of that name and sends the mail. Permanent errors are
// not retried.
func (h handler) send(ctx context.Context, to, name string, data any) error {
	message, err := h.letters.Message(to, name, data)
	if err != nil {
		return jobs.Permanent(err)
	}
	err = h.mailer.Send(ctx, message)
	if mail.IsPermanent(err) {
		return jobs.Permanent(err)
	}
	return err
}
