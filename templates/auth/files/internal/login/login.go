// Package login serves the login page.
package login

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

//go:embed login.html
var pageText string

type handler struct{ page *template.Template }

// Module returns the page.
func Module() web.Module {
	page, err := template.New("login").Parse(pageText)
	if err != nil {
		return web.Module{Name: "login", Err: err}
	}
	h := handler{page}
	return web.Module{Name: "login", Routes: []web.Route{
		web.Handle(http.MethodGet, "/login", h.show).Doc("The login page").Hide(),
	}}
}

// show renders the page; a nonce allows its script and style.
func (h handler) show(c *gin.Context) {
	nonce := rand.Text()
	c.Header("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; "+
		"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Header("Cache-Control", "no-store") // a nonce is used once
	if err := h.page.Execute(c.Writer, nonce); err != nil {
		web.Fail(c, err)
	}
}
