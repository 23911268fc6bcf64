package auth

import (
	"context"
	"embed"
	"errors"
	"io/fs"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
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

// addressed is the payload of a job that sends an e-mail: whoever has the
// address, if anybody. It holds no token; that is created with the e-mail.
type addressed struct {
	Email string `json:"email"`
}

type mailInput struct {
	Body struct {
		Email string `json:"email" binding:"required,max=255,email"`
	}
}

type message struct {
	Message string `json:"message"`
}

// requestMail gives everyone the same response, equally fast: only the job checks whether
// the address is registered.
func requestMail(gdb *gorm.DB, kind string) web.Handler[mailInput, message] {
	return func(c *gin.Context, in mailInput) (message, error) {
		err := jobs.Enqueue(gdb.WithContext(c.Request.Context()), kind, addressed{in.Body.Email})
		return message{"If the address is registered, an e-mail is on its way"}, err
	}
}

// send sends an e-mail by the template of that name, or withdraws its token. What
// a retry cannot fix is not retried.
func (h handler) send(ctx context.Context, name string, letter auth.Letter) error {
	message, err := h.outbox.templates.Message(letter.Email, name, letter)
	if err != nil {
		err = jobs.Permanent(err)
	} else if err = h.outbox.mailer.Send(ctx, message); mail.IsPermanent(err) {
		err = jobs.Permanent(err)
	}
	if err != nil {
		return errors.Join(err, h.auth.Withdraw(ctx, letter))
	}
	return nil
}
