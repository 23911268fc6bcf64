package team

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/organisations/organisationstest"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/runtime/ws"
	"github.com/nexios-go/nexios/templates/websocket/files/internal/migrations"
)

// world is the module on a real address, which a handshake requires, with two
// members of one organisation and one of another.
type world struct {
	t                     *testing.T
	db                    *gorm.DB
	client                *webtest.Client
	url                   string
	ada, bob, oscar, root string // access tokens; root administers the application
}

const (
	ours   = "/organisations/101/"
	theirs = "/organisations/102/"
)

func newWorld(t *testing.T) world {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	known, _, ada := organisationstest.SignIn(t, gdb, "ada", "user")
	_, _, bob := organisationstest.SignIn(t, gdb, "bob", "user")
	_, _, oscar := organisationstest.SignIn(t, gdb, organisationstest.Outsider, "user")
	_, root := authtest.Sign(t, gdb, authtest.Account{Username: "root", Role: "admin"})
	rooms := Module(ws.Config{}, gdb, slog.New(slog.DiscardHandler))
	client := webtest.New(t, known, rooms)
	server := httptest.NewServer(client.App())
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- rooms.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return world{t, gdb, client, server.URL, ada, bob, oscar, root}
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

func (w world) join(base, room, token string) *websocket.Conn {
	w.t.Helper()
	conn, status := w.dial(base+"ws/team/"+room, http.Header{"Authorization": {"Bearer " + token}})
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
	ada := w.join(ours, "lobby", w.ada)
	bob := w.join(ours, "lobby", w.bob)
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

func TestOnlyMembersJoin(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		path, token string
		status      int
	}{
		"nobody":                {ours, "", 401},
		"a member":              {ours, w.ada, 101},
		"of another":            {ours, w.oscar, 404},
		"in another":            {theirs, w.ada, 404},
		"no organisation":       {"/organisations/999/", w.ada, 404},
		"an organisation's dot": {"/organisations/101.0/", w.ada, 404},
	} {
		var header http.Header
		if c.token != "" {
			header = http.Header{"Authorization": {"Bearer " + c.token}}
		}
		if _, status := w.dial(c.path+"ws/team/lobby", header); status != c.status {
			t.Errorf("%s: status %d, want %d", name, status, c.status)
		}
		answer := w.client.With("Authorization", "Bearer "+c.token).Get(c.path + "team/lobby/members")
		if want := max(200, c.status); answer.Status != want {
			t.Errorf("%s: who is in it is answered with %d, want %d", name, answer.Status, want)
		}
	}
	if _, status := w.dial(ours+"ws/team/lobby", nil, "bearer."+w.root); status != 403 {
		t.Errorf("an administrator of the application: status %d", status)
	}
	if _, status := w.dial(ours+"ws/team/lobby", nil, "bearer."+w.bob); status != 101 {
		t.Errorf("a subprotocol: status %d", status)
	}
}

// Rooms with the same name in two organisations are separate.
func TestOrganisationsDoNotHearEachOther(t *testing.T) {
	w := newWorld(t)
	ada := w.join(ours, "lobby", w.ada)
	oscar := w.join(theirs, "lobby", w.oscar)
	says(t, oscar, `{"text":"secret"}`)
	bob := w.join(ours, "lobby", w.bob)
	hears(t, ada, `{"type":"system","message":"User joined"}`) // the first message that she receives
	says(t, ada, `{"text":"hi"}`)
	hears(t, bob, `{"type":"message","message":"hi","from":"ada"}`)
	for base, want := range map[string]string{ours: `{"room":"lobby","members":["ada","bob"]}`, theirs: `{"room":"lobby","members":["oscar"]}`} {
		token := map[string]string{ours: w.ada, theirs: w.oscar}[base]
		if got := string(w.client.With("Authorization", "Bearer "+token).Get(base + "team/lobby/members").Expect(200).Body()); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
}

func TestWhoIsNoMemberAnyMoreIsPutOut(t *testing.T) {
	w := newWorld(t)
	_, _, boss := organisationstest.SignIn(t, w.db, "boss", "user")
	if err := w.db.Table("users").Where("username = ?", "boss").Update("role", "admin").Error; err != nil {
		t.Fatal(err)
	}
	ada := w.join(ours, "lobby", w.ada)
	for name, token := range map[string]string{"bob": w.bob, "boss": boss} { // an administrator of the application
		conn := w.join(ours, "lobby", token)
		hears(t, ada, `{"type":"system","message":"User joined"}`)
		if err := w.db.Exec("DELETE FROM memberships WHERE user_id = ?", authtest.UserID(t, w.db, name)).Error; err != nil {
			t.Fatal(err)
		}
		hears(t, ada, `{"type":"system","message":"User left"}`)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
			t.Errorf("that of %s ends with %v", name, err)
		}
	}
}
