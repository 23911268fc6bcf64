// Package chat serves rooms whose members exchange messages over WebSocket.
package chat

import (
	"crypto/rand"
	_ "embed" // for the page
	"html/template"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

//go:embed chat.html
var pageText string

type handler struct {
	hub  *ws.Hub
	page *template.Template
}

// Module returns the routes of the chat: its rooms, their members, and a page.
func Module(cfg ws.Config, log *slog.Logger) web.Module {
	page, err := template.New("chat").Parse(pageText)
	if err != nil {
		return web.Module{Name: "chat", Err: err}
	}
	h := handler{ws.New("chat", cfg, log), page}
	return web.Module{
		Name: "chat",
		Doc:  "WebSocket rooms and their members.",
		Err:  h.hub.Err,
		Run:  h.hub.Run,
		Routes: []web.Route{
			web.Handle(http.MethodGet, "/ws/chat/:room", h.join).Doc("Join a chat room over WebSocket").
				Describe(ws.Protocol).Messages(ws.Incoming{}, ws.Event{}).
				Guard(auth.User()).Returns(http.StatusSwitchingProtocols).Fails(400, 403, 404, 426, 503),
			web.Get("/chat/:room/members", h.members).Doc("List the members of a chat room").Guard(auth.User()),
			web.Handle(http.MethodGet, "/chat", h.show).Doc("The chat page").Hide(),
			h.hub.Dev(),
		},
	}
}

func (h handler) join(c *gin.Context) {
	who, _ := auth.From(c)
	h.hub.Join(c, c.Param("room"), ws.Conversation(who.Username, who.Recheck))
}

type membersInput struct {
	Room string `uri:"room" binding:"required,max=64"`
}

type members struct {
	Room    string   `json:"room"`
	Members []string `json:"members"` // usernames, sorted
}

func (h handler) members(c *gin.Context, in membersInput) (members, error) {
	return members{in.Room, h.hub.Members(c.Request.Context(), in.Room)}, nil
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
