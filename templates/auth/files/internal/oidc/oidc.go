// Package oidc serves logins with an OpenID Connect provider.
package oidc

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/oidc"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/auth/files/internal/model"
)

type handler struct{ provider *oidc.Provider }

// Module returns the routes for logins with the provider.
func Module(cfg oidc.Config) web.Module {
	provider, err := oidc.New(cfg)
	if err != nil {
		return web.Module{Name: "oidc", Err: err}
	}
	h := handler{provider}
	return web.Module{
		Name: "oidc",
		Doc:  "Log in with an OpenID Connect provider.",
		Routes: []web.Route{
			web.Handle(http.MethodGet, "/auth/oidc/begin", h.begin).Doc("Start a login with the identity provider").ID("beginOidc").Describe(flow).
				Returns(http.StatusSeeOther).Fails(http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable),
			web.Handle(http.MethodGet, "/auth/oidc/callback", h.callback).Doc("Handle the redirect from the identity provider").Hide(),
			web.Post("/auth/oidc-login", h.login).Doc("Log in with the identity provider").ID("loginWithOidc").
				Returns(http.StatusOK).Fails(http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests),
			web.Post("/auth/oidc-confirm", h.confirm).Guard(auth.Enrolling(auth.Session())).Doc("Reauthenticate with the identity provider before a sensitive operation").ID("confirmWithOidc").
				Fails(http.StatusBadRequest, http.StatusTooManyRequests),
			web.Get("/auth/oidc/logins", h.list).Guard(auth.Session()).Doc("List your linked logins").ID("listOidcLogins"),
			web.Post("/auth/oidc/logins", h.link).Guard(auth.Fresh()).Doc("Link a login to your account").ID("linkOidcLogin").
				Fails(http.StatusBadRequest, http.StatusConflict),
			web.Delete("/auth/oidc/logins/:id", h.unlink).Guard(auth.Fresh()).Doc("Unlink a login").ID("unlinkOidcLogin").
				Fails(http.StatusNotFound, http.StatusConflict),
		},
	}.With(auth.NoStore)
}

const flow = "Open this URL in the browser. `for` is login (the default), confirm or link; the last two are for the session in which they begin. After the login, the browser is redirected " +
	"to `return_to`, a path of APP_URL (the default is /login). The page there then makes the request that uses the login: " +
	"`/auth/oidc-login`, `/auth/oidc-confirm` or, to link, `/auth/oidc/logins`."

func (h handler) begin(c *gin.Context) {
	to, err := h.provider.Begin(c, c.DefaultQuery("for", oidc.ToLogIn), c.DefaultQuery("return_to", "/login"))
	if err != nil {
		web.Fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, to)
}

func (h handler) callback(c *gin.Context) {
	to, err := h.provider.Callback(c)
	if err != nil {
		web.Fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, to)
}

type codeInput struct {
	Body struct {
		Code string `json:"code" binding:"max=100"` // of the second factor, if there is one, or a recovery code
	}
}

func (h handler) login(c *gin.Context, in codeInput) (auth.Token, error) {
	login, err := h.provider.Take(c, oidc.ToLogIn)
	if err != nil {
		return auth.Token{}, err
	}
	ctx, service := c.Request.Context(), auth.Of(c)
	user, err := service.Recognise(ctx, login.Person, func(tx *gorm.DB) (int64, error) { return register(tx, login.Person) })
	if err != nil {
		return auth.Token{}, err
	}
	grant, err := service.LoginWith(ctx, auth.ClientOf(c), login.Proof(user), in.Body.Code)
	if err != nil {
		return auth.Token{}, err
	}
	h.provider.Done(c)
	return service.Deliver(c, grant), nil
}

// register creates an account for a person's first login. It has no password until
// the user sets one with a password reset.
func register(tx *gorm.DB, p auth.Person) (int64, error) {
	if wrong := auth.AddressDetails("email", p.Email); len(wrong) > 0 {
		return 0, fault.Invalid(wrong...)
	}
	name, err := auth.FreeName(tx, p.Username, p.Email)
	if err != nil {
		return 0, err
	}
	now := time.Now().UTC()
	user := model.User{Username: name, Email: p.Email, Role: model.RoleUser, IsActive: true, EmailConfirmedAt: &now}
	err = tx.Create(&user).Error
	return user.ID, err
}

func (h handler) confirm(c *gin.Context, in codeInput) (web.None, error) {
	login, err := h.provider.Take(c, oidc.ToConfirm)
	if err != nil {
		return web.None{}, err
	}
	who, _ := auth.From(c)
	ctx, service := c.Request.Context(), auth.Of(c)
	user, err := service.LinkedUser(ctx, login.Person)
	if err != nil {
		return web.None{}, err
	}
	if err := service.ConfirmWith(ctx, auth.ClientOf(c), who, login.Proof(user), in.Body.Code); err != nil {
		return web.None{}, err
	}
	h.provider.Done(c)
	return web.None{}, nil
}

// items is a list without pages.
type items[T any] struct {
	Items []T `json:"items"`
}

func (h handler) list(c *gin.Context, _ web.None) (items[auth.LinkedLogin], error) {
	who, _ := auth.From(c)
	list, err := auth.Of(c).LinkedLogins(c.Request.Context(), who)
	return items[auth.LinkedLogin]{list}, err
}

func (h handler) link(c *gin.Context, _ web.None) (web.None, error) {
	login, err := h.provider.Take(c, oidc.ToLink)
	if err != nil {
		return web.None{}, err
	}
	who, _ := auth.From(c)
	if err := auth.Of(c).Link(c.Request.Context(), who, login.Person); err != nil {
		return web.None{}, err
	}
	h.provider.Done(c)
	return web.None{}, nil
}

type loginInput struct {
	ID int64 `uri:"id" binding:"min=1"`
}

func (h handler) unlink(c *gin.Context, in loginInput) (web.None, error) {
	who, _ := auth.From(c)
	return web.None{}, auth.Of(c).Unlink(c.Request.Context(), who, in.ID)
}
