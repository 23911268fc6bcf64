package ws

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

const (
	roomName   = 64          // characters of a room's name
	linkWait   = time.Second // for Redis to confirm a new room
	readBuffer = 1024        // bytes; larger messages are read in pieces
)

// Join upgrades the request to a WebSocket and makes it a member of the room,
// or answers with an error: 403 for a page of another site, 404 for a name of
// a room that is not 1 to 64 printable characters, 400 and 426 for a request that
// is no handshake, 429 when the user or the address has too many connections, 503
// when another limit is reached. It returns as soon as the connection
// stands; the route's guards have run before.
//
// A browser cannot set headers at the handshake; it sends its token as the
// first subprotocol, "bearer.<token>", which auth's guards understand. When
// the client offers a second subprotocol it is the one agreed on, so that the
// token is not repeated in the answer.
func (h *Hub) Join(c *gin.Context, room string, o Options) {
	if !validRoom(room) {
		web.Fail(c, fault.NotFound("Room not found"))
		return
	}
	h.serve(c, room, o)
}

// Serve is Join without a room: the member is alone.
func (h *Hub) Serve(c *gin.Context, o Options) { h.serve(c, "", o) }

func (h *Hub) serve(c *gin.Context, room string, o Options) {
	if err := h.handshake(c); err != nil {
		web.Fail(c, err)
		return
	}
	m := &Member{hub: h, options: o, client: web.Client(c), limiter: rate.NewLimiter(h.Limits.Rate, h.Limits.Burst)}
	if err := h.enter(m, room); err != nil {
		web.Fail(c, err)
		return
	}
	if m.room != nil && m.room.linked != nil && !h.redis.away.Load() {
		select {
		case <-m.room.linked:
		case <-time.After(linkWait): // Redis is away: this replica alone, for now
		}
	}
	// Before the client knows that it is in: who joins after it must not hear
	// of it.
	m.joined()
	upgrader := websocket.Upgrader{
		HandshakeTimeout: writeTimeout,
		ReadBufferSize:   readBuffer,
		WriteBufferSize:  readBuffer, // unused: frames are written past the library
		WriteBufferPool:  noBuffers{},
		CheckOrigin:      func(*http.Request) bool { return true }, // done above
		Error: func(_ http.ResponseWriter, _ *http.Request, status int, reason error) {
			web.Fail(c, &fault.Error{Status: status, Message: "The WebSocket handshake is malformed", Cause: reason})
		},
	}
	var answer http.Header
	if protocol := subprotocol(c.Request); protocol != "" {
		answer = http.Header{"Sec-Websocket-Protocol": {protocol}}
	}
	c.Status(http.StatusSwitchingProtocols) // for the access log
	conn, err := upgrader.Upgrade(metering{c.Writer, m}, c.Request, answer)
	if err != nil {
		h.leave(m)
		m.left()
		h.active.Done()
		return
	}
	m.open(conn)
	// Not on this goroutine: the request and the stack that served it are
	// free, and an idle connection costs no more than it must.
	go m.serve()
}

// handshake refuses what cannot become a connection, before anybody hears of
// it (RFC 6455, 4.2.1).
func (h *Hub) handshake(c *gin.Context) error {
	r := c.Request
	if !websocket.IsWebSocketUpgrade(r) {
		c.Header("Upgrade", "websocket")
		c.Header("Connection", "Upgrade")
		return &fault.Error{Status: http.StatusUpgradeRequired, Message: "This path accepts WebSocket connections only"}
	}
	if r.Header.Get("Sec-Websocket-Version") != "13" {
		c.Header("Sec-Websocket-Version", "13")
		return &fault.Error{Status: http.StatusUpgradeRequired, Message: "The WebSocket version must be 13"}
	}
	if key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key")); err != nil || len(key) != 16 {
		return fault.BadRequest("The WebSocket handshake has no valid key")
	}
	if !h.allowed(r) {
		return fault.Forbidden("Origin not allowed")
	}
	return nil
}

// noBuffers is a pool that the library takes nothing from.
type noBuffers struct{}

func (noBuffers) Get() any { return nil }
func (noBuffers) Put(any)  {}

// subprotocol chooses one of those offered.
func subprotocol(r *http.Request) string {
	offered := websocket.Subprotocols(r)
	for _, protocol := range offered {
		if !strings.HasPrefix(protocol, "bearer.") {
			return protocol
		}
	}
	if len(offered) > 0 {
		return offered[0] // browsers refuse an answer that names none
	}
	return ""
}

// allowed reports whether the page that connects is ours or allowed. Clients
// that are no browsers send no Origin (RFC 6455, 10.2).
func (h *Hub) allowed(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	if h.origins[origins[0]] {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func validRoom(name string) bool {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > roomName {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}
