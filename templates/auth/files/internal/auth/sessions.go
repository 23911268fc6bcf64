package auth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
)

func (h handler) sessionRoutes() []web.Route {
	return []web.Route{
		web.Get("/auth/sessions", h.listSessions).Guard(auth.Session()).Doc("List your sessions").ID("listSessions"),
		web.Delete("/auth/sessions", h.endSessions).Guard(auth.Self()).Doc("Log out everywhere").ID("revokeSessions"),
		web.Delete("/auth/sessions/:id", h.endSession).Guard(auth.Self()).Doc("Revoke one of your sessions").ID("revokeSession").Fails(http.StatusNotFound),
	}
}

func (h handler) listSessions(c *gin.Context, _ web.None) (items[auth.SessionInfo], error) {
	who, _ := auth.From(c)
	list, err := h.auth.Sessions(c.Request.Context(), who)
	return items[auth.SessionInfo]{list}, err
}

func (h handler) endSessions(c *gin.Context, _ web.None) (web.None, error) {
	who, _ := auth.From(c)
	if err := h.auth.EndSessions(c.Request.Context(), who.UserID, ""); err != nil {
		return web.None{}, err
	}
	h.auth.ClearCookie(c)
	return web.None{}, nil
}

type sessionInput struct {
	ID string `uri:"id" binding:"max=64"`
}

func (h handler) endSession(c *gin.Context, in sessionInput) (web.None, error) {
	who, _ := auth.From(c)
	return web.None{}, h.auth.EndSession(c.Request.Context(), who, in.ID)
}
