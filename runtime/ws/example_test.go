package ws_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

// A message of a member reaches the others.
func Example() {
	log := slog.New(slog.DiscardHandler)
	hub := ws.New("chat", ws.Config{}, log)
	join := web.Handle("GET", "/rooms/:room", func(c *gin.Context) {
		hub.Join(c, c.Param("room"), ws.Options{
			Name: c.GetHeader("X-Name"),
			Text: func(m *ws.Member, text []byte) { m.Broadcast(m.Name() + ": " + string(text)) },
		})
	})
	app, err := web.New(web.Config{Env: web.Test}, log, web.Module{Name: "chat", Routes: []web.Route{join}, Run: hub.Run, Err: hub.Err})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(app)
	defer server.Close()
	dial := func(name string) *websocket.Conn {
		url := "ws" + strings.TrimPrefix(server.URL, "http") + "/rooms/lobby"
		conn, _, err := websocket.DefaultDialer.Dial(url, map[string][]string{"X-Name": {name}})
		if err != nil {
			panic(err)
		}
		for len(hub.Members(context.Background(), "lobby")) == 0 { // the handshake completes before the member is in the room
			time.Sleep(time.Millisecond)
		}
		return conn
	}
	anna, bob := dial("anna"), dial("bob")
	defer anna.Close()
	defer bob.Close()
	if err := bob.WriteMessage(websocket.TextMessage, []byte("hi")); err != nil {
		fmt.Println(err)
	}
	_, text, err := anna.ReadMessage()
	fmt.Println(string(text), err)
	// Output:
	// bob: hi <nil>
}
