// Package passkeys serves passkeys and logins with them.
package passkeys

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/passkeys"
	"github.com/nexios-go/nexios/runtime/web"
)

type handler struct{ passkeys *passkeys.Passkeys }

// Module returns the routes for passkeys.
func Module(cfg auth.Config) web.Module {
	made, err := passkeys.New(cfg)
	if err != nil {
		return web.Module{Name: "passkeys", Err: err}
	}
	h := handler{made}
	return web.Module{
		Name: "passkeys",
		Doc:  "Manage passkeys, and log in with them.",
		Routes: []web.Route{
			web.Post("/auth/passkeys/challenge", h.challenge).Doc("Request a passkey challenge").ID("startPasskeyLogin").
				Describe("Returns the options for `navigator.credentials.get`. Send its result to `/auth/passkey-login` or `/auth/passkey-confirm`.").Returns(http.StatusOK),
			web.Post("/auth/passkey-login", h.login).Doc("Log in with a passkey").ID("loginWithPasskey").
				Returns(http.StatusOK).Fails(http.StatusBadRequest, http.StatusUnauthorized, http.StatusTooManyRequests),
			web.Post("/auth/passkey-confirm", h.confirm).Guard(auth.Enrolling(auth.Session())).Doc("Reauthenticate with a passkey before a sensitive operation").ID("confirmWithPasskey").
				Fails(http.StatusBadRequest, http.StatusTooManyRequests),
			web.Get("/auth/passkeys", h.list).Guard(auth.Session()).Doc("List your passkeys"),
			web.Post("/auth/passkeys/options", h.options).Guard(auth.Enrolling(auth.Fresh())).Doc("Request options to create a passkey").ID("startPasskey").
				Describe("Returns the options for `navigator.credentials.create`. Send its result to `POST /auth/passkeys`.").Returns(http.StatusOK),
			web.Post("/auth/passkeys", h.add).Guard(auth.Enrolling(auth.Fresh())).Doc("Add a passkey").ID("addPasskey").Fails(http.StatusBadRequest, http.StatusConflict),
			web.Patch("/auth/passkeys/:id", h.rename).Guard(auth.Self()).Doc("Rename a passkey").ID("renamePasskey").Fails(http.StatusNotFound),
			web.Delete("/auth/passkeys/:id", h.remove).Guard(auth.Fresh()).Doc("Remove a passkey").ID("removePasskey").Fails(http.StatusNotFound, http.StatusConflict),
		},
	}.With(auth.NoStore)
}

func (h handler) challenge(c *gin.Context, _ web.None) (json.RawMessage, error) {
	return h.passkeys.Challenge(c)
}

// answerInput is the result of `navigator.credentials.get`, as JSON.
type answerInput struct {
	Body struct {
		Credential json.RawMessage `json:"credential" binding:"required"`
	}
}

func (h handler) login(c *gin.Context, in answerInput) (auth.Token, error) {
	proof, err := h.passkeys.Prove(c, in.Body.Credential)
	if err != nil {
		return auth.Token{}, err
	}
	grant, err := auth.Of(c).LoginWith(c.Request.Context(), auth.ClientOf(c), proof, "")
	if err != nil {
		return auth.Token{}, err
	}
	return auth.Of(c).Deliver(c, grant), nil
}

func (h handler) confirm(c *gin.Context, in answerInput) (web.None, error) {
	proof, err := h.passkeys.Prove(c, in.Body.Credential)
	if err != nil {
		return web.None{}, err
	}
	who, _ := auth.From(c)
	return web.None{}, auth.Of(c).ConfirmWith(c.Request.Context(), auth.ClientOf(c), who, proof, "")
}

// items is a list without pages.
type items[T any] struct {
	Items []T `json:"items"`
}

func (h handler) list(c *gin.Context, _ web.None) (items[auth.Passkey], error) {
	who, _ := auth.From(c)
	list, err := auth.Of(c).Passkeys(c.Request.Context(), who)
	return items[auth.Passkey]{list}, err
}

func (h handler) options(c *gin.Context, _ web.None) (json.RawMessage, error) {
	who, _ := auth.From(c)
	return h.passkeys.Options(c, who)
}

// addInput is the result of `navigator.credentials.create`, as JSON.
type addInput struct {
	Body struct {
		Name       string          `json:"name" binding:"required,max=100,notblank" example:"My phone"`
		Credential json.RawMessage `json:"credential" binding:"required"`
	}
}

func (h handler) add(c *gin.Context, in addInput) (auth.Passkey, error) {
	who, _ := auth.From(c)
	return h.passkeys.Add(c, who, in.Body.Name, in.Body.Credential)
}

type renameInput struct {
	ID   int64 `uri:"id" binding:"min=1"`
	Body struct {
		Name string `json:"name" binding:"required,max=100,notblank"`
	}
}

func (h handler) rename(c *gin.Context, in renameInput) (auth.Passkey, error) {
	who, _ := auth.From(c)
	return auth.Of(c).RenamePasskey(c.Request.Context(), who, in.ID, in.Body.Name)
}

type passkeyInput struct {
	ID int64 `uri:"id" binding:"min=1"`
}

func (h handler) remove(c *gin.Context, in passkeyInput) (web.None, error) {
	who, _ := auth.From(c)
	return web.None{}, auth.Of(c).RemovePasskey(c.Request.Context(), who, in.ID)
}
