// Package chat serves rooms in which members talk to each other over
// WebSocket.
package chat

import (
	"cmp"
	"crypto/rand"
	_ "embed" // for the page
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

//go:embed chat.html
var pageText string

// protocol is what clients must know of the room's WebSocket.
const protocol = "A WebSocket. Browsers, which cannot set headers on it, send the access token as the first subprotocol: " +
	"bearer.<token>. Send {\"text\": \"hi\"}; every other member gets " +
	"{\"type\": \"message\", \"message\": \"hi\", \"from\": \"<username>\"}, and {\"type\": \"system\", " +
	"\"message\": \"User joined\"} or \"User left\" when a member joins or leaves."

type handler struct {
	hub  *ws.Hub
	page *template.Template
}

// Module returns the chat: its rooms, who is in them, and a page to chat on.
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
				Describe(protocol).Messages(incoming{}, event{}).
				Guard(auth.User()).Returns(http.StatusSwitchingProtocols).Fails(400, 403, 404, 426, 503),
			web.Get("/chat/:room/members", h.members).Doc("List the members of a chat room").Guard(auth.User()),
			web.Handle(http.MethodGet, "/chat", h.show).Doc("The chat page").Hide(),
			h.hub.Dev(),
		},
	}
}

// incoming is what a member sends; either field will do.
type incoming struct {
	Text    string `json:"text"`
	Message string `json:"message"`
}

// event is what the others get.
type event struct {
	Type    string `json:"type" schema:"oneof=message system"`
	Message string `json:"message"`
	From    string `json:"from,omitempty"`
}

func (h handler) join(c *gin.Context) {
	who, _ := auth.From(c)
	h.hub.Join(c, c.Param("room"), ws.Options{
		Name:    who.Username,
		Recheck: who.Recheck,
		Joined:  func(m *ws.Member) { _ = m.Announce(event{Type: "system", Message: "User joined"}) },
		Left:    func(m *ws.Member) { _ = m.Announce(event{Type: "system", Message: "User left"}) },
		Text:    say,
	})
}

// say passes a message on to the other members, and ignores what is not one.
func say(m *ws.Member, text []byte) {
	var in incoming
	if json.Unmarshal(text, &in) != nil {
		return
	}
	message := cmp.Or(in.Text, in.Message)
	if strings.TrimSpace(message) == "" {
		return
	}
	_ = m.Broadcast(event{Type: "message", Message: message, From: m.Name()})
}

type membersInput struct {
	Room string `uri:"room" binding:"required,max=64"`
}

type members struct {
	Room    string   `json:"room"`
	Members []string `json:"members"` // usernames, in order
}

func (h handler) members(c *gin.Context, in membersInput) (members, error) {
	return members{in.Room, h.hub.Members(c.Request.Context(), in.Room)}, nil
}

// show renders the page, whose script and style run by a nonce.
func (h handler) show(c *gin.Context) {
	nonce := rand.Text()
	c.Header("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; "+
		"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Header("Cache-Control", "no-store") // the nonce is for once
	if err := h.page.Execute(c.Writer, nonce); err != nil {
		web.Fail(c, err)
	}
}
