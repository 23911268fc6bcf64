// Package team serves rooms of organisations, in which their members talk to
// each other over WebSocket.
package team

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/organisations"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

// protocol is what clients must know of the room's WebSocket.
const protocol = "A WebSocket. Browsers, which cannot set headers on it, send the access token as the first subprotocol: " +
	"bearer.<token>. Send {\"text\": \"hi\"}; every other member gets " +
	"{\"type\": \"message\", \"message\": \"hi\", \"from\": \"<username>\"}, and {\"type\": \"system\", " +
	"\"message\": \"User joined\"} or \"User left\" when a member joins or leaves. " +
	"A user who is no longer a member of the organisation is disconnected within seconds."

type handler struct {
	hub *ws.Hub
	db  *gorm.DB
}

// Module returns the rooms of organisations and who is in them.
func Module(cfg ws.Config, gdb *gorm.DB, log *slog.Logger) web.Module {
	h := handler{ws.New("team", cfg, log), gdb}
	member := organisations.Member(gdb)
	return web.Module{
		Name: "team",
		Doc:  "WebSocket rooms of organisations and their members.",
		Err:  h.hub.Err,
		Run:  h.hub.Run,
		Routes: []web.Route{
			web.Handle(http.MethodGet, "/organisations/:organisation/ws/team/:room", h.join).Doc("Join a team room of an organisation over WebSocket").
				Describe(protocol).Messages(incoming{}, event{}).
				Guard(member).Returns(http.StatusSwitchingProtocols).Fails(400, 403, 404, 426, 503),
			web.Get("/organisations/:organisation/team/:room/members", h.members).Doc("List the members of a team room of an organisation").Guard(member),
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
	member := organisations.Of(c)
	if member.Role == "" {
		web.Fail(c, fault.Forbidden("Only members of the organisation may join its rooms"))
		return
	}
	stays := member.Recheck(h.db)
	h.hub.Join(c, room(member.OrganisationID, c.Param("room")), ws.Options{
		Name: who.Username,
		Recheck: func(ctx context.Context) error {
			if err := who.Recheck(ctx); err != nil {
				return err
			}
			return stays(ctx)
		},
		Joined: func(m *ws.Member) { _ = m.Announce(event{Type: "system", Message: "User joined"}) },
		Left:   func(m *ws.Member) { _ = m.Announce(event{Type: "system", Message: "User left"}) },
		Text:   say,
	})
}

// room is the name of an organisation's room, among all rooms of the hub.
func room(organisationID int64, name string) string {
	return fmt.Sprintf("%d/%s", organisationID, name)
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
	Organisation int64  `uri:"organisation" binding:"min=1"`
	Room         string `uri:"room" binding:"required,max=64"`
}

type members struct {
	Room    string   `json:"room"`
	Members []string `json:"members"` // usernames, in order
}

func (h handler) members(c *gin.Context, in membersInput) (members, error) {
	return members{in.Room, h.hub.Members(c.Request.Context(), room(in.Organisation, in.Room))}, nil
}
