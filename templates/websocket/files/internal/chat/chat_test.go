package chat

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/runtime/ws"
	"github.com/nexios-go/nexios/templates/websocket/files/internal/migrations"
)

// world is the module on a real address, which a handshake requires, with two
// users.
type world struct {
	t        *testing.T
	client   *webtest.Client
	url      string
	ada, bob string // access tokens
}

func newWorld(t *testing.T) world {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	known, ada := authtest.Sign(t, gdb, authtest.Account{Username: "ada"})
	_, bob := authtest.Sign(t, gdb, authtest.Account{Username: "bob"})
	room := Module(ws.Config{}, slog.New(slog.DiscardHandler))
	client := webtest.New(t, known, room)
	server := httptest.NewServer(client.App())
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- room.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return world{t, client, server.URL, ada, bob}
}

func (w world) dial(path string, header http.Header, protocols ...string) (*websocket.Conn, int) {
	w.t.Helper()
	dialer := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: 10 * time.Second}
	conn, response, err := dialer.Dial("ws"+strings.TrimPrefix(w.url, "http")+path, header)
	if response == nil {
		w.t.Fatal(err)
	}
	if err == nil {
		w.t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, response.StatusCode
}

func (w world) join(room, token string) *websocket.Conn {
	w.t.Helper()
	conn, status := w.dial("/ws/chat/"+room, http.Header{"Authorization": {"Bearer " + token}})
	if status != http.StatusSwitchingProtocols {
		w.t.Fatalf("status %d", status)
	}
	return conn
}

func hears(t *testing.T, conn *websocket.Conn, want ...string) {
	t.Helper()
	for _, text := range want {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, got, err := conn.ReadMessage()
		if err != nil || string(got) != text {
			t.Fatalf("%s, %v; want %s", got, err, text)
		}
	}
}

func says(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestMembersTalk(t *testing.T) {
	w := newWorld(t)
	ada := w.join("lobby", w.ada)
	bob := w.join("lobby", w.bob)
	hears(t, ada, `{"type":"system","message":"User joined"}`)
	says(t, bob, `{"text":"hi"}`)
	says(t, bob, `{"message":"there"}`)
	hears(t, ada, `{"type":"message","message":"hi","from":"bob"}`, `{"type":"message","message":"there","from":"bob"}`)

	for _, rubbish := range []string{"", "hi", "{", `{"text":5}`, `{"text":"  "}`, `[]`, `null`, `{"type":"system"}`} {
		says(t, bob, rubbish)
	}
	says(t, ada, `{"text":"still here?"}`)
	hears(t, bob, `{"type":"message","message":"still here?","from":"ada"}`) // and not his own messages
	says(t, bob, `{"text":"yes","from":"ada","type":"system"}`)
	hears(t, ada, `{"type":"message","message":"yes","from":"bob"}`)
	_ = bob.Close()
	hears(t, ada, `{"type":"system","message":"User left"}`)
}

func TestOnlyUsersJoin(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		header    http.Header
		protocols []string
		status    int
		agreed    string
	}{
		"nobody":              {nil, nil, 401, ""},
		"a header":            {http.Header{"Authorization": {"Bearer " + w.ada}}, nil, 101, ""},
		"a subprotocol":       {nil, []string{"bearer." + w.ada}, 101, "bearer." + w.ada},
		"two subprotocols":    {nil, []string{"bearer." + w.ada, "chat"}, 101, "chat"},
		"a wrong token":       {nil, []string{"bearer.x.y.z"}, 401, ""},
		"another site's page": {http.Header{"Authorization": {"Bearer " + w.ada}, "Origin": {"https://evil.example"}}, nil, 403, ""},
		"our own page":        {http.Header{"Authorization": {"Bearer " + w.ada}, "Origin": {w.url}}, nil, 101, ""},
	} {
		conn, status := w.dial("/ws/chat/lobby", c.header, c.protocols...)
		if status != c.status {
			t.Errorf("%s: status %d, want %d", name, status, c.status)
		}
		if conn != nil && conn.Subprotocol() != c.agreed {
			t.Errorf("%s: agreed on %q, want %q", name, conn.Subprotocol(), c.agreed)
		}
	}
	if _, status := w.dial("/ws/chat/lobby?token="+w.ada, nil); status != 401 {
		t.Errorf("a token in the query string: %d", status)
	}
}

func TestMembersAreListed(t *testing.T) {
	w := newWorld(t)
	w.client.Get("/chat/lobby/members").Expect(401)
	as := w.client.With("Authorization", "Bearer "+w.ada)
	list := func() string { t.Helper(); return string(as.Get("/chat/lobby/members").Expect(200).Body()) }
	if got := list(); got != `{"room":"lobby","members":[]}` {
		t.Error(got)
	}
	ada := w.join("lobby", w.ada)
	bob := w.join("lobby", w.bob)
	hears(t, ada, `{"type":"system","message":"User joined"}`)
	if got := list(); got != `{"room":"lobby","members":["ada","bob"]}` {
		t.Error(got)
	}
	_ = bob.Close()
	hears(t, ada, `{"type":"system","message":"User left"}`)
	if got := list(); got != `{"room":"lobby","members":["ada"]}` {
		t.Error(got)
	}
}

func TestPage(t *testing.T) {
	w := newWorld(t)
	answer := w.client.Get("/chat").Expect(200)
	policy := answer.Header("Content-Security-Policy")
	_, nonce, _ := strings.Cut(policy, "script-src 'nonce-")
	nonce, _, _ = strings.Cut(nonce, "'")
	if nonce == "" || strings.Contains(policy, "unsafe") || !strings.Contains(string(answer.Body()), `<script nonce="`+nonce+`">`) {
		t.Errorf("policy %s", policy)
	}
	if again := w.client.Get("/chat").Header("Content-Security-Policy"); again == policy {
		t.Error("the nonce is used twice")
	}
}
