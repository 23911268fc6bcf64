package auth

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/web"
)

const confirmJob = "auth.confirm"

func (h handler) confirmRoutes(gdb *gorm.DB) []web.Route {
	return []web.Route{
		web.Post("/auth/send-confirmation", requestMail(gdb, confirmJob)).Doc("Request a confirmation e-mail").ID("requestConfirmation").Returns(http.StatusAccepted),
		web.Post("/auth/confirm-email", h.confirmEmail).Doc("Confirm an e-mail address with the token from the e-mail").Returns(http.StatusOK).Fails(http.StatusBadRequest),
	}
}

// askToConfirm asks a user to confirm the address that they have changed to.
func askToConfirm(tx *gorm.DB, email string) error {
	return jobs.Enqueue(tx, confirmJob, addressed{email})
}

type confirmInput struct {
	Body struct {
		Token string `json:"token" binding:"required,max=1000"`
	}
}

func (h handler) confirmEmail(c *gin.Context, in confirmInput) (message, error) {
	err := h.auth.ConfirmEmail(c.Request.Context(), in.Body.Token)
	return message{"E-mail address confirmed"}, err
}

func (h handler) sendConfirmation(ctx context.Context, to addressed) error {
	letter, ok, err := h.auth.ConfirmLetter(ctx, to.Email)
	if err != nil || !ok {
		return err
	}
	return h.send(ctx, "confirm", letter)
}
