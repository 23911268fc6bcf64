package echo

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/runtime/ws"
)

func TestEcho(t *testing.T) {
	client := webtest.New(t, Module(ws.Config{}, slog.New(slog.DiscardHandler)))
	server := httptest.NewServer(client.App())
	defer server.Close()
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err, response)
	}
	defer conn.Close()
	for _, text := range []string{"hi", "", "üñí", strings.Repeat("x", 64<<10)} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, got, err := conn.ReadMessage(); err != nil || string(got) != "Echo: "+text {
			t.Fatalf("%.100s, %v; want the echo of %.100s", got, err, text)
		}
	}
	client.Get("/ws").Expect(426)
}
