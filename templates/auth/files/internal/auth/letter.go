package auth

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/web"
)

// addressed is the payload of a job that sends an e-mail to the user with the
// address, if there is one. It holds no token; that is created with the e-mail.
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

// send sends the e-mail of that template, or revokes its token if that fails.
func (h handler) send(ctx context.Context, name string, letter auth.Letter) error {
	err := h.outbox.send(ctx, letter.Email, name, letter)
	if err != nil {
		return errors.Join(err, h.auth.Withdraw(ctx, letter))
	}
	return nil
}
