// Package echo sends every WebSocket message back.
package echo

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

type handler struct{ hub *ws.Hub }

// Module returns the echo, which is open to everyone.
func Module(cfg ws.Config, log *slog.Logger) web.Module {
	h := handler{ws.New("echo", cfg, log)}
	return web.Module{
		Name: "echo",
		Doc:  "A WebSocket that sends back what it gets.",
		Err:  h.hub.Err,
		Run:  h.hub.Run,
		Routes: []web.Route{
			web.Handle(http.MethodGet, "/ws", h.echo).Doc("Echo messages over WebSocket").
				Describe("A WebSocket: each text is answered by \"Echo: \" and the text.").Messages("", "").
				Returns(http.StatusSwitchingProtocols).Fails(400, 403, 426, 503),
			h.hub.Dev(),
		},
	}
}

func (h handler) echo(c *gin.Context) {
	h.hub.Serve(c, ws.Options{
		Text: func(m *ws.Member, text []byte) { _ = m.Send("Echo: " + string(text)) },
	})
}
