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

// post sends the letters of this room.
type post struct {
	mailer  *mail.Mailer
	letters *mail.Set
}

func newPost(cfg mail.Config) (post, error) {
	mailer, err := mail.New(cfg)
	if err != nil {
		return post{}, err
	}
	files, err := fs.Sub(mails, "mails")
	if err != nil {
		return post{}, err
	}
	letters, err := mail.Templates(files)
	return post{mailer, letters}, err
}

// addressed is the payload of a job that sends a letter: whoever has the
// address, if anybody. It names no token; that is made when the letter is.
type addressed struct {
	Email string `json:"email"`
}

type letterInput struct {
	Body struct {
		Email string `json:"email" binding:"required,max=255,email"`
	}
}

type message struct {
	Message string `json:"message"`
}

// asksForLetter answers everybody alike and as fast: only the job looks whether
// the address is known.
func asksForLetter(gdb *gorm.DB, kind string) web.Handler[letterInput, message] {
	return func(c *gin.Context, in letterInput) (message, error) {
		err := jobs.Enqueue(gdb.WithContext(c.Request.Context()), kind, addressed{in.Body.Email})
		return message{"If the address is registered, an e-mail is on its way"}, err
	}
}

// send sends a letter by the template of that name, or makes it worthless. What
// another try cannot mend is not tried again.
func (h handler) send(ctx context.Context, name string, letter auth.Letter) error {
	message, err := h.post.letters.Message(letter.Email, name, letter)
	if err != nil {
		err = jobs.Permanent(err)
	} else if err = h.post.mailer.Send(ctx, message); mail.IsPermanent(err) {
		err = jobs.Permanent(err)
	}
	if err != nil {
		return errors.Join(err, h.auth.Withdraw(ctx, letter))
	}
	return nil
}
