package ws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

// Limits of the panel: the largest rooms and a few members of each.
const (
	panelRooms   = 50
	panelMembers = 10
)

// Dev returns a development route for the module's Routes: the rooms of this process
// and their members, for the page at /dev.
func (h *Hub) Dev() web.Route {
	return web.Get("/dev/rooms/"+h.name, h.panel).Doc("Show the rooms of " + h.name + " in development").Dev()
}

func (h *Hub) panel(*gin.Context, web.None) (web.Panel, error) {
	h.mu.Lock()
	rooms := slices.Collect(maps.Values(h.rooms))
	connections := len(h.members)
	h.mu.Unlock()
	p := web.Panel{
		Title: "WebSocket: " + h.name, Head: []string{"room", "members", "who"},
		Text: fmt.Sprintf("connections: %d, rooms: %d", connections, len(rooms)),
	}
	type listed struct {
		name string
		size int
		who  []string
	}
	var all []listed
	for _, r := range rooms {
		all = append(all, listed{r.name, r.size(), r.names()})
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Or(b.size-a.size, strings.Compare(a.name, b.name)) })
	for _, r := range all[:min(len(all), panelRooms)] {
		who := strings.Join(r.who[:min(len(r.who), panelMembers)], ", ")
		if more := len(r.who) - panelMembers; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		p.Rows = append(p.Rows, web.PanelRow{Cells: []string{r.name, fmt.Sprint(r.size), who}})
	}
	return p, nil
}
