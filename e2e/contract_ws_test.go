package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// peer is a WebSocket connection.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
}

// dial opens a WebSocket; pairs are headers.
func (s *server) dial(t testing.TB, path string, pairs ...string) (peer, *http.Response, error) {
	t.Helper()
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Set(pairs[i], pairs[i+1])
	}
	conn, response, err := websocket.DefaultDialer.Dial("ws://"+s.addr+path, header)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return peer{t, conn}, response, err
}

func (s *server) connect(t testing.TB, path string, pairs ...string) peer {
	t.Helper()
	p, response, err := s.dial(t, path, pairs...)
	if err != nil {
		t.Fatalf("%s: %v, %v", path, err, response)
	}
	return p
}

func (s *server) join(t testing.TB, u user, room string) peer {
	t.Helper()
	return s.connect(t, "/ws/chat/"+room, "Authorization", "Bearer "+u.token)
}

func (p peer) say(text string) {
	p.t.Helper()
	if err := p.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next message, or "" after the limit.
func (p peer) receive(limit time.Duration) (string, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(limit))
	_, text, err := p.conn.ReadMessage()
	return string(text), err
}

// expect checks that the next message is this JSON object.
func (p peer) expect(want string) {
	p.t.Helper()
	text, err := p.receive(5 * time.Second)
	var a, b any
	_, _ = json.Unmarshal([]byte(text), &a), json.Unmarshal([]byte(want), &b)
	if err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		p.t.Fatalf("received %q, %v, want %s", text, err, want)
	}
}

const (
	joined = `{"type":"system","message":"User joined"}`
	left   = `{"type":"system","message":"User left"}`
)

func TestContractEcho(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	p := s.connect(t, "/ws")
	for _, text := range []string{"hi", "", "日本語", `{"json":1}`, strings.Repeat("x", 60<<10)} {
		p.say(text)
		if got, err := p.receive(5 * time.Second); got != "Echo: "+text {
			t.Errorf("%.20q came back as %.30q, %v", text, got, err)
		}
	}
	if _, response, err := s.dial(t, "/ws", "Origin", "https://evil.example"); err == nil || response.StatusCode != 403 {
		t.Errorf("cross-origin: %v, %v", err, response)
	}
	s.connect(t, "/ws", "Origin", s.url)
	p.say(strings.Repeat("x", 64<<10+1))
	_, err := p.receive(5 * time.Second)
	if closed := (*websocket.CloseError)(nil); !errors.As(err, &closed) || closed.Code != websocket.CloseMessageTooBig {
		t.Errorf("a message over 64 KiB: %v", err)
	}
	other := s.connect(t, "/ws")
	if err := other.conn.WriteMessage(websocket.TextMessage, []byte("\xff\xfe")); err != nil {
		t.Fatal(err)
	}
	if text, err := other.receive(5 * time.Second); err == nil {
		t.Errorf("invalid UTF-8 came back as %q", text)
	}
	s.connect(t, "/ws").say("alive")
}

func TestContractChat(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "CORS_ORIGINS=https://app.example.com")
	// Sequentially: tokens may expire before a test that waits for its turn runs.
	anna, bert, carol := s.register("anna"), s.register("bert"), s.register("carol")

	t.Run("handshake", func(t *testing.T) {
		for what, c := range map[string]struct {
			path   string
			pairs  []string
			status int
		}{
			"no token":           {"/ws/chat/door", nil, 401},
			"a bad token":        {"/ws/chat/door", []string{"Authorization", "Bearer x"}, 401},
			"a token in the URL": {"/ws/chat/door?token=" + anna.token + "&access_token=" + anna.token, nil, 401},
			"another site":       {"/ws/chat/door", []string{"Authorization", "Bearer " + anna.token, "Origin", "https://evil.example"}, 403},
			"origin null":        {"/ws/chat/door", []string{"Authorization", "Bearer " + anna.token, "Origin", "null"}, 403},
			"a bad subprotocol":  {"/ws/chat/door", []string{"Sec-WebSocket-Protocol", "bearer.x"}, 401},
			"subprotocol, site":  {"/ws/chat/door", []string{"Sec-WebSocket-Protocol", "bearer." + anna.token, "Origin", "https://evil.example"}, 403},
		} {
			if _, response, err := s.dial(t, c.path, c.pairs...); err == nil || response == nil || response.StatusCode != c.status {
				t.Errorf("%s: %v, %v, want %d", what, err, response, c.status)
			}
		}
		s.connect(t, "/ws/chat/door", "Authorization", "Bearer "+anna.token, "Origin", "https://app.example.com")
		p := s.connect(t, "/ws/chat/door", "Sec-WebSocket-Protocol", "bearer."+anna.token+", chat", "Origin", s.url)
		if chosen := p.conn.Subprotocol(); chosen != "bearer."+anna.token && chosen != "chat" {
			t.Errorf("subprotocol %q: a browser would close", chosen)
		}
		p = s.connect(t, "/ws/chat/door", "Sec-WebSocket-Protocol", "bearer."+anna.token)
		if p.conn.Subprotocol() != "bearer."+anna.token {
			t.Errorf("subprotocol %q: a browser would close", p.conn.Subprotocol())
		}
	})

	t.Run("talk", func(t *testing.T) {
		a := s.join(t, anna, "lobby")
		b := s.join(t, bert, "lobby")
		a.expect(joined)
		c := s.join(t, carol, "lobby")
		a.expect(joined)
		b.expect(joined)
		other := s.join(t, carol, "elsewhere")

		a.say(`{"text":"hi"}`)
		b.expect(`{"type":"message","message":"hi","from":"anna"}`)
		c.expect(`{"type":"message","message":"hi","from":"anna"}`)
		b.say(`{"message":"hello <b>"}`)
		a.expect(`{"type":"message","message":"hello <b>","from":"bert"}`) // not her own "hi"
		c.expect(`{"type":"message","message":"hello <b>","from":"bert"}`)

		for _, rubbish := range []string{"", "x", "{", "[]", "null", "1", `{"text":5}`, `{"text":""}`, `{}`, `{"type":"system","message":{}}`, strings.Repeat("[", 5000)} {
			a.say(rubbish)
		}
		if err := a.conn.WriteMessage(websocket.BinaryMessage, []byte{0, 1, 2}); err != nil {
			t.Fatal(err)
		}
		a.say(`{"type":"system","from":"bert","text":"forged"}`)
		b.expect(`{"type":"message","message":"forged","from":"anna"}`)
		for i := range 50 {
			a.say(fmt.Sprintf(`{"text":"%d"}`, i))
		}
		for i := range 50 {
			b.expect(fmt.Sprintf(`{"type":"message","message":"%d","from":"anna"}`, i))
		}
		members := bert.of(t).get("/chat/lobby/members").want(200).json()
		if names, _ := members["members"].([]any); len(names) != 3 || !slices.Contains(names, any("carol")) {
			t.Errorf("members %v", members)
		}
		s.client().of(t).get("/chat/lobby/members").wantFault(401, "")
		c.conn.Close()
		b.expect(left)
		if text, err := other.receive(200 * time.Millisecond); err == nil {
			t.Errorf("another room received %q", text)
		}
		if names := bert.of(t).get("/chat/nobody-here/members").want(200).json()["members"]; fmt.Sprint(names) != "[]" {
			t.Errorf("members of an empty room: %v", names)
		}
	})

	t.Run("too large", func(t *testing.T) {
		a, b := s.join(t, anna, "large"), s.join(t, bert, "large")
		a.expect(joined)
		a.say(`{"text":"` + strings.Repeat("x", 65<<10) + `"}`)
		_, err := a.receive(5 * time.Second)
		if closed := (*websocket.CloseError)(nil); !errors.As(err, &closed) || closed.Code != websocket.CloseMessageTooBig {
			t.Errorf("a message over 64 KiB: %v", err)
		}
		b.expect(left)
	})

	t.Run("silent member", func(t *testing.T) {
		s.join(t, carol, "busy") // never reads
		a, b := s.join(t, anna, "busy"), s.join(t, bert, "busy")
		a.expect(joined)
		begin := time.Now()
		big := strings.Repeat("y", 30<<10)
		for range 100 {
			a.say(`{"text":"` + big + `"}`)
			if _, err := b.receive(5 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("100 messages took %s", took)
		}
	})

	t.Run("logout", func(t *testing.T) {
		again := s.login("anna", goodPassword)
		a, b := s.join(t, again, "exit"), s.join(t, bert, "exit")
		a.expect(joined)
		stays := s.join(t, anna, "exit")
		a.expect(joined)
		again.of(t).post(logoutPath, nil).want(200, 204)
		begin := time.Now()
		_, err := a.receive(6 * time.Second)
		if closed := (*websocket.CloseError)(nil); !errors.As(err, &closed) || time.Since(begin) > 5*time.Second {
			t.Errorf("after the logout: %v in %s", err, time.Since(begin))
		}
		b.expect(joined)
		b.expect(left)
		stays.say(`{"text":"still here"}`)
		b.expect(`{"type":"message","message":"still here","from":"anna"}`)
	})
}

func TestContractChatHistory(t *testing.T) {
	t.Parallel()
	s := guideServer(t, "WS_HISTORY=50")
	anna, bert := s.register("anna"), s.register("bert")
	a := s.join(t, anna, "old")
	witness := s.join(t, bert, "old")
	a.expect(joined)
	for i := range 55 {
		a.say(fmt.Sprintf(`{"text":"%d"}`, i))
		witness.expect(fmt.Sprintf(`{"type":"message","message":"%d","from":"anna"}`, i))
	}
	late := s.join(t, bert, "old")
	for i := 5; i < 55; i++ {
		late.expect(fmt.Sprintf(`{"type":"message","message":"%d","from":"anna"}`, i))
	}
}
