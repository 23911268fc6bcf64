package auth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
)

// totpRoutes returns the routes of the second factor, which is required once it is
// confirmed. All of them require a recently confirmed password.
func (h handler) totpRoutes() []web.Route {
	return []web.Route{
		web.Post("/auth/totp", h.enrollTOTP).Guard(auth.Enrolling(auth.Fresh())).Doc("Start TOTP enrolment").ID("startTotp").Fails(http.StatusConflict),
		web.Post("/auth/totp/confirm", h.confirmTOTP).Guard(auth.Enrolling(auth.Fresh())).Doc("Confirm TOTP enrolment").Returns(http.StatusOK),
		web.Post("/auth/totp/recovery-codes", h.recoveryCodes).Guard(auth.Fresh()).Doc("Replace the recovery codes").ID("replaceRecoveryCodes").Fails(http.StatusNotFound),
		web.Delete("/auth/totp", h.disableTOTP).Guard(auth.Fresh()).Doc("Turn TOTP off").ID("disableTotp").Fails(http.StatusNotFound),
	}
}

func (h handler) enrollTOTP(c *gin.Context, _ web.None) (auth.Enrolment, error) {
	who, _ := auth.From(c)
	return h.auth.EnrollTOTP(c.Request.Context(), who)
}

type codeInput struct {
	Body struct {
		Code string `json:"code" binding:"required,len=6,numeric"`
	}
}

// recoveryCodes are shown once.
type recoveryCodes struct {
	RecoveryCodes []string `json:"recovery_codes"`
}

func (h handler) confirmTOTP(c *gin.Context, in codeInput) (recoveryCodes, error) {
	who, _ := auth.From(c)
	codes, err := h.auth.ConfirmTOTP(c.Request.Context(), who, in.Body.Code)
	return recoveryCodes{codes}, err
}

func (h handler) recoveryCodes(c *gin.Context, _ web.None) (recoveryCodes, error) {
	who, _ := auth.From(c)
	codes, err := h.auth.RecoveryCodes(c.Request.Context(), who)
	return recoveryCodes{codes}, err
}

func (h handler) disableTOTP(c *gin.Context, _ web.None) (web.None, error) {
	who, _ := auth.From(c)
	return web.None{}, h.auth.DisableTOTP(c.Request.Context(), who)
}
