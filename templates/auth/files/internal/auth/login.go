package auth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// loginRoutes: the refresh token travels in a cookie or, with
// AUTH_REFRESH=body, in the body.
func (h handler) loginRoutes(refresh string) []web.Route {
	rotate, end := web.Post("/auth/refresh", h.refreshCookie), web.Post("/auth/logout", h.logoutCookie)
	if refresh == "body" {
		rotate, end = web.Post("/auth/refresh", h.refreshBody), web.Post("/auth/logout", h.logoutBody)
	}
	return []web.Route{
		web.Post("/auth/login", h.login).Doc("Log in").
			Returns(http.StatusOK).Fails(http.StatusUnauthorized, http.StatusTooManyRequests),
		rotate.ID("refreshToken").Doc("Refresh the access token").
			Returns(http.StatusOK).Fails(http.StatusUnauthorized, http.StatusForbidden),
		end.Doc("Log out").Fails(http.StatusUnauthorized, http.StatusForbidden),
		web.Post("/auth/confirm-password", h.confirmPassword).Guard(auth.Enrolling(auth.Session())).Doc("Confirm your password, and your second factor, before a sensitive operation").
			Fails(http.StatusBadRequest, http.StatusTooManyRequests),
	}
}

func (h handler) login(c *gin.Context, in loginInput) (auth.Token, error) {
	grant, err := h.auth.Login(c.Request.Context(), auth.ClientOf(c), auth.Credentials{
		Username: in.Body.Username, Password: in.Body.Password, Code: in.Body.Code,
	})
	if err != nil {
		return auth.Token{}, err
	}
	return h.auth.Deliver(c, grant), nil
}

func (h handler) refreshCookie(c *gin.Context, _ web.None) (auth.Token, error) {
	token, err := h.auth.CookieToken(c)
	if err != nil {
		return auth.Token{}, err
	}
	return h.rotate(c, token)
}

func (h handler) refreshBody(c *gin.Context, in refreshInput) (auth.Token, error) {
	return h.rotate(c, in.Body.RefreshToken)
}

func (h handler) rotate(c *gin.Context, token string) (auth.Token, error) {
	grant, err := h.auth.Refresh(c.Request.Context(), token)
	if err != nil {
		if fault.From(err).Status == http.StatusUnauthorized {
			h.auth.ClearCookie(c)
		}
		return auth.Token{}, err
	}
	return h.auth.Deliver(c, grant), nil
}

func (h handler) logoutCookie(c *gin.Context, _ web.None) (web.None, error) {
	token, err := h.auth.CookieToken(c)
	if err != nil {
		return web.None{}, err
	}
	return h.logout(c, token)
}

func (h handler) logoutBody(c *gin.Context, in logoutInput) (web.None, error) {
	if in.Body == nil {
		return h.logout(c, "")
	}
	return h.logout(c, in.Body.RefreshToken)
}

// logout ends the sessions of the access token and of the refresh token, whichever
// are sent; an expired access token does not prevent it.
func (h handler) logout(c *gin.Context, token string) (web.None, error) {
	who, known := auth.Known(c)
	if token == "" && (!known || who.SessionID == "") {
		return web.None{}, fault.Unauthorized("Not authenticated")
	}
	if known && who.SessionID != "" {
		if err := h.auth.LogoutSession(c.Request.Context(), who); err != nil {
			return web.None{}, err
		}
	}
	if token != "" {
		if err := h.auth.Logout(c.Request.Context(), token); err != nil {
			return web.None{}, err
		}
	}
	h.auth.ClearCookie(c)
	return web.None{}, nil
}

func (h handler) confirmPassword(c *gin.Context, in passwordInput) (web.None, error) {
	who, _ := auth.From(c)
	return web.None{}, h.auth.Confirm(c.Request.Context(), auth.ClientOf(c), who, in.Body.Password, in.Body.Code)
}
