package auth

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/web"
)

const (
	resetJob = "auth.reset"
	undoJob  = "auth.undo"
)

func (h handler) resetRoutes(gdb *gorm.DB) []web.Route {
	return []web.Route{
		web.Post("/auth/forgot-password", requestMail(gdb, resetJob)).Doc("Request a password-reset e-mail").ID("requestPasswordReset").Returns(http.StatusAccepted),
		web.Post("/auth/reset-password", h.resetPassword).Doc("Reset the password with the token from the e-mail").Returns(http.StatusOK).Fails(http.StatusBadRequest),
	}
}

type resetInput struct{ Body resetBody }

type resetBody struct {
	Token    string `json:"token" binding:"required,max=1000"`
	Password string `json:"password" binding:"required" schema:"min=8,max=128" doc:"8 to 128 characters, not a common password; fewer than 15 need upper case, lower case and a digit."` // see Check
}

// Check adds the password policy to the rules in the tags. The user's own name and
// address are checked once the token is known.
func (b resetBody) Check() []fault.Detail { return auth.PasswordDetails("password", b.Password) }

func (h handler) resetPassword(c *gin.Context, in resetInput) (message, error) {
	err := h.auth.ResetPassword(c.Request.Context(), in.Body.Token, "password", in.Body.Password)
	return message{"Password changed successfully"}, err
}

func (h handler) sendReset(ctx context.Context, to addressed) error {
	letter, ok, err := h.auth.ResetLetter(ctx, to.Email)
	if err != nil || !ok {
		return err
	}
	return h.send(ctx, "reset", letter)
}

// left is the payload of the job that lets a user undo a change of address. It holds
// no token; that is created with the e-mail.
type left struct {
	UserID int64  `json:"user_id"`
	Email  string `json:"email"`
}

func offerUndo(tx *gorm.DB, userID int64, email string) error {
	return jobs.Enqueue(tx, undoJob, left{userID, email})
}

func (h handler) sendUndo(ctx context.Context, to left) error {
	letter, ok, err := h.auth.UndoLetter(ctx, to.UserID, to.Email)
	if err != nil || !ok {
		return err
	}
	return h.send(ctx, "undo", letter)
}
