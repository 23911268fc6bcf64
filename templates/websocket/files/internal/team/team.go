// Package team serves rooms of organisations, whose members exchange messages over
// WebSocket.
package team

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/organisations"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

type handler struct {
	hub *ws.Hub
	db  *gorm.DB
}

// Module returns the routes of the rooms of organisations and of their members.
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
				Describe(ws.Protocol+" A user who is no longer a member of the organisation is disconnected within seconds.").Messages(ws.Incoming{}, ws.Event{}).
				Guard(member).Returns(http.StatusSwitchingProtocols).Fails(400, 403, 404, 426, 503),
			web.Get("/organisations/:organisation/team/:room/members", h.members).Doc("List the members of a team room of an organisation").Guard(member),
			h.hub.Dev(),
		},
	}
}

func (h handler) join(c *gin.Context) {
	who, _ := auth.From(c)
	member := organisations.Of(c)
	if member.Role == "" {
		web.Fail(c, fault.Forbidden("Only members of the organisation may join its rooms"))
		return
	}
	stays := member.Recheck(h.db)
	h.hub.Join(c, room(member.OrganisationID, c.Param("room")), ws.Conversation(who.Username, func(ctx context.Context) error {
		if err := who.Recheck(ctx); err != nil {
			return err
		}
		return stays(ctx)
	}))
}

// room returns the name of an organisation's room, unique among all rooms of the hub.
func room(organisationID int64, name string) string {
	return fmt.Sprintf("%d/%s", organisationID, name)
}

type membersInput struct {
	Organisation int64  `uri:"organisation" binding:"min=1"`
	Room         string `uri:"room" binding:"required,max=64"`
}

type members struct {
	Room    string   `json:"room"`
	Members []string `json:"members"` // usernames, sorted
}

func (h handler) members(c *gin.Context, in membersInput) (members, error) {
	return members{in.Room, h.hub.Members(c.Request.Context(), room(in.Organisation, in.Room))}, nil
}
