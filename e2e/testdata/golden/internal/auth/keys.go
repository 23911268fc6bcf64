package auth

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
)

func (h handler) keyRoutes() []web.Route {
	return []web.Route{
		web.Get("/auth/keys", h.listKeys).Guard(auth.Session()).Doc("List your API keys").ID("listApiKeys"),
		web.Post("/auth/keys", h.makeKey).Guard(auth.Fresh()).Doc("Create an API key (shown only once)").ID("createApiKey"),
		web.Delete("/auth/keys/:id", h.revokeKey).Guard(auth.Self()).Doc("Revoke an API key").ID("revokeApiKey").Fails(http.StatusNotFound),
	}
}

func (h handler) listKeys(c *gin.Context, _ web.None) (items[auth.APIKey], error) {
	who, _ := auth.From(c)
	list, err := h.auth.Keys(c.Request.Context(), who)
	return items[auth.APIKey]{list}, err
}

type keyInput struct {
	Body struct {
		Name      string     `json:"name" binding:"required,max=100,notblank"`
		Scopes    []string   `json:"scopes" binding:"max=50,dive,max=60"` // none: read
		ExpiresAt *time.Time `json:"expires_at"`                          // absent: never
	}
}

func (h handler) makeKey(c *gin.Context, in keyInput) (auth.NewAPIKey, error) {
	who, _ := auth.From(c)
	var expires time.Time
	if in.Body.ExpiresAt != nil {
		expires = *in.Body.ExpiresAt
	}
	return h.auth.MakeKey(c.Request.Context(), who, in.Body.Name, in.Body.Scopes, expires)
}

type keyIDInput struct {
	ID int64 `uri:"id" binding:"min=1"`
}

func (h handler) revokeKey(c *gin.Context, in keyIDInput) (web.None, error) {
	who, _ := auth.From(c)
	return web.None{}, h.auth.RevokeKey(c.Request.Context(), who, in.ID)
}
