// Package sessions serves logins for HTML pages: a cookie and a session on the
// server instead of tokens.
package sessions

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
)

// Module returns the routes of page sessions, and a page that requires one.
func Module() web.Module {
	return web.Module{Name: "sessions", Doc: "Page sessions: login with a cookie, for HTML pages.", Routes: []web.Route{
		web.Post("/session/login", login).Doc("Log in with a page session").ID("startPageSession").
			Returns(http.StatusOK).Fails(http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests),
		web.Post("/session/logout", logout).Doc("End the page session").ID("endPageSession").Returns(http.StatusOK).Fails(http.StatusForbidden),
		web.Get("/protected", protected).Guard(auth.Page()).Doc("Greet the signed-in user"),
	}}
}

type loginInput struct{ Body loginBody }

type loginBody struct {
	Username string `json:"username" binding:"required,max=1000" example:"ada"`
	Password string `json:"password" binding:"required,max=1000" example:"Correct-Horse-7"`
	Code     string `json:"code" binding:"max=100"` // of the second factor, or a recovery code
}

type loggedIn struct {
	Message   string `json:"message"`
	CSRFToken string `json:"csrf_token"` // for forms: a hidden field of this name
}

type message struct {
	Message string `json:"message"`
}

func login(c *gin.Context, in loginInput) (loggedIn, error) {
	csrf, err := auth.Of(c).LoginPage(c, auth.Credentials{Username: in.Body.Username, Password: in.Body.Password, Code: in.Body.Code})
	return loggedIn{"Logged in", csrf}, err
}

func logout(c *gin.Context, _ web.None) (message, error) {
	return message{"Logged out"}, auth.Of(c).LogoutPage(c)
}

func protected(c *gin.Context, _ web.None) (message, error) {
	who, _ := auth.From(c)
	return message{"Hello, " + who.Username + "!"}, nil
}
