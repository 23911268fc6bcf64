package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

const testTimeout = 15 * time.Second

// chat serves rooms for the tests: messages are broadcast unchanged, joins and leaves
// are announced.
type chat struct {
	t      testing.TB
	hub    *Hub
	server *httptest.Server
	stop   func()          // stops Run
	log    strings.Builder // of the application; read it after the server is closed
	// recheck is called for every member if set.
	recheck atomic.Pointer[func(context.Context) error]
}

func newChat(t testing.TB, cfg Config, change func(*Hub)) *chat {
	t.Helper()
	c := &chat{t: t, hub: New("test", cfg, quiet)}
	require.NoError(t, c.hub.Err)
	if change != nil {
		change(c.hub)
	}
	join := func(g *gin.Context) {
		o := Options{
			Name:   g.Query("name"),
			Joined: func(m *Member) { _ = m.Announce("+" + m.Name()) },
			Left:   func(m *Member) { _ = m.Announce("-" + m.Name()) },
			Text: func(m *Member, text []byte) {
				if string(text) == "panic" {
					panic("at the user's request")
				}
				_ = m.Broadcast(string(text))
			},
		}
		if recheck := c.recheck.Load(); recheck != nil {
			o.Recheck = *recheck
		}
		c.hub.Join(g, g.Param("room"), o)
	}
	echo := func(g *gin.Context) {
		c.hub.Serve(g, Options{Text: func(m *Member, text []byte) { _ = m.Send(append([]byte("Echo: "), text...)) }})
	}
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.NewTextHandler(&c.log, nil)), web.Module{Name: "chat", Routes: []web.Route{
		web.Handle(http.MethodGet, "/chat/:room", join), web.Handle(http.MethodGet, "/echo", echo),
	}})
	require.NoError(t, err)
	c.server = httptest.NewServer(app)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.hub.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(testTimeout):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(func() { c.stop(); c.server.Close() })
	return c
}

type client struct {
	t testing.TB
	*websocket.Conn
}

func (c *chat) dial(path string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	dialer := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: testTimeout}
	return dialer.Dial("ws"+strings.TrimPrefix(c.server.URL, "http")+path, header)
}

func (c *chat) join(room, name string) client {
	c.t.Helper()
	conn, response, err := c.dial("/chat/"+room+"?name="+name, nil)
	require.NoError(c.t, err)
	_ = response.Body.Close()
	c.t.Cleanup(func() { _ = conn.Close() })
	return client{c.t, conn}
}

func (c client) broadcast(text string) {
	c.t.Helper()
	require.NoError(c.t, c.WriteMessage(websocket.TextMessage, []byte(text)))
}

func (c client) expect(want ...string) {
	c.t.Helper()
	for _, text := range want {
		require.NoError(c.t, c.SetReadDeadline(time.Now().Add(testTimeout)))
		kind, got, err := c.ReadMessage()
		require.NoError(c.t, err, "waiting for %q", text)
		require.Equal(c.t, websocket.TextMessage, kind)
		require.Equal(c.t, text, string(got))
	}
}

// control sends n empty frames of a kind.
func (c client) control(kind, n int) error {
	for range n {
		if err := c.WriteControl(kind, nil, time.Now().Add(testTimeout)); err != nil {
			return err
		}
	}
	return nil
}

// closed waits until the connection ends and returns its close code.
func (c client) closed() int {
	c.t.Helper()
	require.NoError(c.t, c.SetReadDeadline(time.Now().Add(testTimeout)))
	for {
		_, _, err := c.ReadMessage()
		if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) {
			return closed.Code
		}
		require.NoError(c.t, err)
	}
}

func (c *chat) rooms() int {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	return len(c.hub.rooms)
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, testTimeout, 5*time.Millisecond, what)
}

func TestMessagesArriveInOrder(t *testing.T) {
	c := newChat(t, Config{}, nil)
	ann := c.join("a", "ann")
	bob := c.join("a", "bob")
	ann.expect("+bob")
	other := c.join("b", "zoe")
	var want []string
	for n := range 100 {
		text := fmt.Sprintf("%d %s", n, strings.Repeat("ü", n*100))
		bob.broadcast(text)
		want = append(want, text)
	}
	ann.expect(want...)
	ann.broadcast("hi")
	bob.expect("hi") // and not his own messages
	require.NoError(t, bob.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")))
	require.Equal(t, websocket.CloseNormalClosure, bob.closed())
	ann.expect("-bob")
	_ = c.join("b", "tim")
	other.expect("+tim") // not from room a
}

func TestEcho(t *testing.T) {
	c := newChat(t, Config{}, nil)
	conn, _, err := c.dial("/echo", nil)
	require.NoError(t, err)
	defer conn.Close()
	echo := client{t, conn}
	for _, text := range []string{"hi", "", strings.Repeat("x", 64<<10)} {
		echo.broadcast(text)
		echo.expect("Echo: " + text)
	}
	require.NoError(t, echo.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(time.Second)))
	pong := make(chan string, 1)
	echo.SetPongHandler(func(data string) error { pong <- data; return nil })
	echo.broadcast("after")
	echo.expect("Echo: after")
	require.Equal(t, "p", <-pong)
	require.Zero(t, c.rooms())
}

func TestInvalidFrames(t *testing.T) {
	for name, test := range map[string]struct {
		send func(client)
		code int // 0: not closed
	}{
		"binary":         {func(c client) { _ = c.WriteMessage(websocket.BinaryMessage, []byte{0, 255}) }, 0},
		"not UTF-8":      {func(c client) { _ = c.WriteMessage(websocket.TextMessage, []byte{0xff, 0xfe}) }, websocket.CloseInvalidFramePayloadData},
		"too large":      {func(c client) { _ = c.WriteMessage(websocket.TextMessage, make([]byte, 64<<10+1)) }, websocket.CloseMessageTooBig},
		"far too large":  {func(c client) { _ = c.WriteMessage(websocket.TextMessage, make([]byte, 512<<10)) }, websocket.CloseMessageTooBig},
		"not masked":     {func(c client) { _, _ = c.NetConn().Write(encode(websocket.TextMessage, []byte("x"))) }, websocket.CloseProtocolError},
		"reserved bits":  {func(c client) { _, _ = c.NetConn().Write([]byte{0xf1, 0x80, 1, 2, 3, 4}) }, websocket.CloseProtocolError},
		"unknown opcode": {func(c client) { _, _ = c.NetConn().Write([]byte{0x83, 0x80, 1, 2, 3, 4}) }, websocket.CloseProtocolError},
		"a panic":        {func(c client) { c.broadcast("panic") }, websocket.CloseInternalServerErr},
		"half a frame":   {func(c client) { _, _ = c.NetConn().Write([]byte{0x81, 0xfe}); _ = c.Close() }, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChat(t, Config{}, nil)
			ann := c.join("a", "ann")
			rude := c.join("a", "rude")
			bob := c.join("a", "bob")
			ann.expect("+rude", "+bob")
			test.send(rude)
			switch {
			case test.code == 0:
				rude.broadcast("still here")
				ann.expect("still here")
				bob.expect("still here")
			default:
				ann.expect("-rude")
				bob.expect("-rude")
				if test.code > 0 {
					require.Equal(t, test.code, rude.closed())
				}
			}
			bob.broadcast("hi")
			ann.expect("hi")
		})
	}
}

func TestOrigins(t *testing.T) {
	c := newChat(t, Config{Origins: []string{"https://friend.example"}}, nil)
	own := c.server.URL
	for _, test := range []struct {
		origin []string
		status int
	}{
		{nil, 101}, {[]string{own}, 101}, {[]string{"https://friend.example"}, 101},
		{[]string{strings.ToUpper(own)}, 101},
		{[]string{"https://evil.example"}, 403}, {[]string{"null"}, 403}, {[]string{""}, 403},
		{[]string{own + ".evil.example"}, 403}, {[]string{"http://evil.example/" + own}, 403},
		{[]string{"http://friend.example"}, 403}, {[]string{"https://friend.example.evil.example"}, 403},
		{[]string{strings.Replace(own, "http:", "file:", 1)}, 403}, {[]string{own, "https://evil.example"}, 403},
		{[]string{"http://127.0.0.1:1"}, 403},
	} {
		conn, response, err := c.dial("/chat/a", http.Header{"Origin": test.origin})
		require.Equal(t, test.status, response.StatusCode, test.origin)
		if err == nil {
			_ = conn.Close()
		}
	}
}

func TestSubprotocols(t *testing.T) {
	c := newChat(t, Config{}, nil)
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, ""}, {[]string{"bearer.t.o.k"}, "bearer.t.o.k"}, {[]string{"bearer.t.o.k", "chat"}, "chat"}, {[]string{"chat"}, "chat"},
	} {
		conn, response, err := c.dial("/chat/a", nil, test.offered...)
		require.NoError(t, err)
		require.Equal(t, test.want, conn.Subprotocol())
		require.Len(t, response.Header.Values("Sec-Websocket-Protocol"), min(len(test.offered), 1))
		_ = conn.Close()
	}
}

func TestInvalidHandshakes(t *testing.T) {
	c := newChat(t, Config{}, nil)
	get := func(path string, header http.Header) *http.Response {
		request, err := http.NewRequest(http.MethodGet, c.server.URL+path, nil)
		require.NoError(t, err)
		request.Header = header
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		_ = response.Body.Close()
		return response
	}
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
	require.Equal(t, 426, get("/chat/a", nil).StatusCode)
	require.Equal(t, 426, get("/chat/a", upgrade).StatusCode, "no version")
	upgrade.Set("Sec-WebSocket-Version", "13")
	for _, key := range []string{"", "short", "bm90IHNpeHRlZW4="} {
		upgrade.Set("Sec-WebSocket-Key", key)
		require.Equal(t, 400, get("/chat/a", upgrade).StatusCode, key)
	}
	for _, room := range []string{"%00", "a%0Ab", "%ff", strings.Repeat("r", 65)} {
		require.Equal(t, 404, get("/chat/"+room, upgrade).StatusCode, room)
	}
	require.Zero(t, c.rooms(), "rooms left behind")
	require.Empty(t, c.hub.allMembers())
}

func TestLimitsOfRoomsAndMembers(t *testing.T) {
	c := newChat(t, Config{}, func(h *Hub) { h.Limits.Rooms, h.Limits.Members = 2, 2 })
	refused := func(room string) {
		_, response, err := c.dial("/chat/"+room, nil)
		require.Error(t, err)
		require.Equal(t, 503, response.StatusCode)
	}
	first := c.join("a", "1")
	_ = c.join("a", "2")
	refused("a")
	_ = c.join("b", "3")
	refused("c")
	_ = first.Close()
	eventually(t, "a member has left", func() bool { return len(c.hub.allMembers()) == 2 })
	_ = c.join("a", "4")
}

// Messages that arrive too fast are delayed, not lost.
func TestRate(t *testing.T) {
	c := newChat(t, Config{}, func(h *Hub) { h.Limits.Rate, h.Limits.Burst = 100, 20 })
	ann, bob := c.join("a", "ann"), c.join("a", "bob")
	ann.expect("+bob")
	start := time.Now()
	for n := range 60 {
		bob.broadcast(fmt.Sprint(n))
	}
	for n := range 60 {
		ann.expect(fmt.Sprint(n))
	}
	require.GreaterOrEqual(t, time.Since(start), 350*time.Millisecond)
}

// Frames that are not messages count towards the rate like messages.
func TestRateOfEmptyFrames(t *testing.T) {
	for name, send := range map[string]func(client) error{
		"pings": func(c client) error { return c.control(websocket.PingMessage, 60) },
		"pongs": func(c client) error { return c.control(websocket.PongMessage, 60) },
		"empty fragments": func(c client) error {
			masked := func(first byte) []byte { return []byte{first, 0x80, 0, 0, 0, 0} }
			frames := append(masked(0x01), bytes.Repeat(masked(0x00), 60*4096/6)...)
			_, err := c.NetConn().Write(append(frames, masked(0x80)...))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChat(t, Config{}, func(h *Hub) { h.Limits.Rate, h.Limits.Burst = 100, 20 })
			ann, bob := c.join("a", "ann"), c.join("a", "bob")
			ann.expect("+bob")
			start := time.Now()
			require.NoError(t, send(bob))
			bob.broadcast("hi")
			for got := ""; got != "hi"; {
				require.NoError(t, ann.SetReadDeadline(time.Now().Add(testTimeout)))
				_, text, err := ann.ReadMessage()
				require.NoError(t, err)
				got = string(text)
			}
			require.GreaterOrEqual(t, time.Since(start), 350*time.Millisecond)
		})
	}
}

// A member that never reads is dropped, and the others still receive everything.
func TestSlowMemberIsDropped(t *testing.T) {
	c := newChat(t, Config{}, func(h *Hub) { h.Limits.Queue, h.Limits.Rate = 256<<10, 1e9 })
	ann, bob := c.join("a", "ann"), c.join("a", "bob")
	deaf := c.join("a", "deaf")
	ann.expect("+bob", "+deaf")
	bob.expect("+deaf")
	text := strings.Repeat("x", 32<<10)
	dropped := false
	for n := 0; n < 2000 && !dropped; n++ {
		bob.broadcast(text)
		start := time.Now()
		require.NoError(t, ann.SetReadDeadline(start.Add(testTimeout)))
		_, got, err := ann.ReadMessage()
		require.NoError(t, err)
		require.Less(t, time.Since(start), 2*time.Second)
		if dropped = string(got) == "-deaf"; !dropped {
			require.Equal(t, text, string(got))
		}
	}
	require.True(t, dropped)
	_ = deaf.SetReadDeadline(time.Now().Add(testTimeout))
	for {
		if _, _, err := deaf.ReadMessage(); err != nil {
			break
		}
	}
	require.Equal(t, []string{"ann", "bob"}, c.hub.Members(context.Background(), "a"))
}

func TestEmptyRoomsAreFreed(t *testing.T) {
	c := newChat(t, Config{}, nil)
	const count = 2000
	for from := 0; from < count; from += 100 {
		var clients []client
		for n := from; n < from+100; n++ {
			clients = append(clients, c.join(fmt.Sprintf("room-%d", n), "x"))
		}
		require.Equal(t, 100, c.rooms())
		for _, client := range clients {
			_ = client.Close()
		}
		eventually(t, "freed", func() bool { return c.rooms() == 0 && len(c.hub.allMembers()) == 0 })
	}
}

// The end of a session closes its connections within five seconds; an error of the
// server does not.
func TestSessionEndClosesConnections(t *testing.T) {
	c := newChat(t, Config{}, nil)
	var ended atomic.Bool
	recheck := func(context.Context) error {
		if ended.Load() {
			return fault.Unauthorized("Invalid token")
		}
		return nil
	}
	c.recheck.Store(&recheck)
	ann := c.join("a", "ann")
	serverError := func(context.Context) error { return errors.New("the database is away") }
	c.recheck.Store(&serverError)
	bob := c.join("a", "bob")
	ann.expect("+bob")
	ended.Store(true)
	start := time.Now()
	require.Equal(t, websocket.ClosePolicyViolation, ann.closed())
	require.Less(t, time.Since(start), 3*time.Second)
	bob.expect("-ann")
}

func TestStopClosesConnections(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := newChat(t, Config{}, nil)
	ann := c.join("a", "ann")
	stubborn := c.join("a", "stubborn") // never answers the close frame
	_ = stubborn
	start := time.Now()
	go func() {
		time.Sleep(50 * time.Millisecond)
		_, response, err := c.dial("/chat/a", nil)
		if err == nil || response.StatusCode != 503 {
			t.Error("a connection was accepted during shutdown")
		}
	}()
	stopped := make(chan struct{})
	go func() { c.stop(); close(stopped) }()
	require.Equal(t, websocket.CloseServiceRestart, ann.closed())
	<-stopped
	require.Less(t, time.Since(start), 5*time.Second)
	require.Empty(t, c.hub.allMembers())
	require.Zero(t, c.rooms())
	c.server.Close()
	http.DefaultClient.CloseIdleConnections()
}

func TestHistory(t *testing.T) {
	for _, kept := range []int{0, 3} {
		t.Run(fmt.Sprint(kept), func(t *testing.T) {
			c := newChat(t, Config{History: kept}, nil)
			ann, bob := c.join("a", "ann"), c.join("a", "bob")
			ann.expect("+bob")
			var want []string
			for n := range 5 {
				bob.broadcast(fmt.Sprint(n))
				ann.expect(fmt.Sprint(n))
				if n >= 5-kept {
					want = append(want, fmt.Sprint(n))
				}
			}
			zoe := c.join("a", "zoe")
			ann.expect("+zoe")
			ann.broadcast("now")
			zoe.expect(append(want, "now")...)
		})
	}
}

func TestPresence(t *testing.T) {
	c := newChat(t, Config{}, nil)
	ctx := context.Background()
	require.Equal(t, []string{}, c.hub.Members(ctx, "a"))
	_ = c.join("a", "zoe")
	ann := c.join("a", "ann")
	again := c.join("a", "ann")
	require.Equal(t, []string{"ann", "zoe"}, c.hub.Members(ctx, "a"))
	_ = again.Close()
	ann.expect("+ann", "-ann")
	require.Equal(t, []string{"ann", "zoe"}, c.hub.Members(ctx, "a"), "one tab is still open")
	_ = ann.Close()
	eventually(t, "member has left", func() bool { return len(c.hub.Members(ctx, "a")) == 1 })
}

// A member that does not answer pings is dropped; one that does stays, even if silent.
func TestUnresponsiveMemberIsDropped(t *testing.T) {
	c := newChat(t, Config{}, func(h *Hub) { h.Limits.Ping, h.Limits.Silence = 50*time.Millisecond, 400*time.Millisecond })
	ann := c.join("a", "ann")
	heard := make(chan string, 10)
	go func() { // reading answers pings
		for {
			_, text, err := ann.ReadMessage()
			if err != nil {
				return
			}
			heard <- string(text)
		}
	}()
	_ = c.join("a", "dead")
	require.Equal(t, "+dead", <-heard)
	select {
	case text := <-heard:
		require.Equal(t, "-dead", text)
	case <-time.After(testTimeout):
		t.Fatal("the unresponsive member is still there")
	}
	require.Equal(t, []string{"ann"}, c.hub.Members(context.Background(), "a"))
}

// Concurrent writes of the library and of the hub are never interleaved within a frame.
func TestConcurrentMessages(t *testing.T) {
	c := newChat(t, Config{}, func(h *Hub) { h.Limits.Rate = 1e9 })
	const talkers, each = 8, 200
	var clients []client
	for n := range talkers {
		clients = append(clients, c.join("a", fmt.Sprint(n)))
	}
	var group sync.WaitGroup
	for n, one := range clients {
		group.Go(func() {
			for k := range each {
				message, _ := json.Marshal(map[string]int{"from": n, "n": k})
				if err := one.WriteMessage(websocket.TextMessage, message); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			next := map[int]int{}
			_ = one.SetReadDeadline(time.Now().Add(testTimeout))
			for heard := 0; heard < (talkers-1)*each; {
				_, text, err := one.ReadMessage()
				if err != nil {
					t.Error(err)
					return
				}
				if text[0] == '+' {
					continue
				}
				var message struct{ From, N int }
				if err := json.Unmarshal(text, &message); err != nil || message.N != next[message.From] || message.From == n {
					t.Errorf("%s: %v", text, err)
				}
				next[message.From]++
				heard++
			}
		})
	}
	group.Wait()
}

func TestConfig(t *testing.T) {
	for _, test := range []struct {
		config Config
		wrong  string
	}{
		{Config{}, ""},
		{Config{History: 50, RedisURL: "redis://127.0.0.1:6379/0"}, ""},
		{Config{History: 51}, "WS_HISTORY"},
		{Config{History: -1}, "WS_HISTORY"},
		{Config{RedisURL: "http://user:secret@host"}, "REDIS_URL"},
	} {
		err := test.config.Validate()
		if test.wrong == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, test.wrong)
		require.NotContains(t, err.Error(), "secret")
		require.Error(t, New("x", test.config, quiet).Err)
	}
}

func TestSendRejectsInvalidText(t *testing.T) {
	m := &Member{hub: New("x", Config{}, quiet)}
	require.Error(t, m.Send([]byte{0xff}))
	require.Error(t, m.Send(func() {}))
	require.NoError(t, m.Broadcast("without a room"))
}

// proxy forwards connections to address until it is cut.
type proxy struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

func newProxy(t testing.TB, address string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: listener}
	t.Cleanup(func() { _ = listener.Close(); p.set(true) })
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", address)
			p.mu.Lock()
			if err != nil || p.down {
				_ = here.Close()
				if err == nil {
					_ = there.Close()
				}
			} else {
				p.conns = append(p.conns, here, there)
				go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
				go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
			}
			p.mu.Unlock()
		}
	}()
	return p
}

// set closes every connection, and rejects new ones while down.
func (p *proxy) set(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

// A single user or address cannot use up the connections of all others.
func TestLimitsOfUsersAndAddresses(t *testing.T) {
	c := newChat(t, Config{RateLimit: web.Rate{Limit: 2, Window: time.Minute}}, nil)
	require.Equal(t, 20, c.hub.Limits.Address)
	c.hub.Limits.Address = 4
	refused := func(path string) {
		t.Helper()
		_, response, err := c.dial(path, nil)
		require.Error(t, err)
		require.Equal(t, http.StatusTooManyRequests, response.StatusCode)
		require.NotEmpty(t, response.Header.Get("Retry-After"))
	}
	first := c.join("a", "ann")
	_ = c.join("b", "ann")
	refused("/chat/c?name=ann")
	_ = c.join("a", "bob")
	nameless, _, err := c.dial("/echo", nil)
	require.NoError(t, err)
	defer nameless.Close()
	refused("/chat/a?name=zoe")
	refused("/echo")
	_ = first.Close()
	eventually(t, "a connection has ended", func() bool { return len(c.hub.allMembers()) == 3 })
	_ = c.join("a", "ann")

	c.stop()
	eventually(t, "all members have left", func() bool { return len(c.hub.allMembers()) == 0 })
	require.Empty(t, c.hub.users)
	require.Empty(t, c.hub.clients)
	c.server.Close()
	require.Equal(t, 3, strings.Count(c.log.String(), "msg=security event=limited reason=\"Too many connections\""))

	open := newChat(t, Config{}, nil)
	for range 30 {
		_ = open.join("a", "ann")
	}
}
