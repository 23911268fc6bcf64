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
	maxRoomName = 64          // maximum length of a room name in characters
	linkTimeout = time.Second // maximum wait for Redis to confirm a new room
	readBuffer  = 1024        // bytes; larger messages are read in pieces
)

// Join upgrades the request to a WebSocket and adds it to the room, or responds with an
// error: 403 for a page of another site, 404 for a room name that is not 1 to 64
// printable characters, 400 and 426 for a request that is not a valid handshake, 429 if
// the user or the address has too many connections, 503 if another limit is reached. It
// returns as soon as the connection is established; the route's guards have run before.
//
// A browser cannot set headers in the handshake; it sends its token as the first
// subprotocol, "bearer.<token>", which the guards of package auth accept. If the client
// offers a second subprotocol, that one is selected, so that the token is not repeated
// in the response.
func (h *Hub) Join(c *gin.Context, room string, o Options) {
	if !validRoom(room) {
		web.Fail(c, fault.NotFound("Room not found"))
		return
	}
	h.serve(c, room, o)
}

// Serve is [Hub.Join] without a room: the member is on its own.
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
	if m.room != nil && m.room.linked != nil && !h.redis.down.Load() {
		select {
		case <-m.room.linked:
		case <-time.After(linkTimeout): // Redis is down: start with this replica only
		}
	}
	// Before the client knows that it has joined: members who join later must not be
	// notified of it.
	m.joined()
	upgrader := websocket.Upgrader{
		HandshakeTimeout: writeTimeout,
		ReadBufferSize:   readBuffer,
		WriteBufferSize:  readBuffer, // unused: frames are written to the connection directly
		WriteBufferPool:  noBuffers{},
		CheckOrigin:      func(*http.Request) bool { return true }, // done by handshake
		Error: func(_ http.ResponseWriter, _ *http.Request, status int, reason error) {
			web.Fail(c, &fault.Error{Status: status, Message: "The WebSocket handshake is malformed", Cause: reason})
		},
	}
	var answer http.Header
	if protocol := subprotocol(c.Request); protocol != "" {
		answer = http.Header{"Sec-Websocket-Protocol": {protocol}}
	}
	c.Status(http.StatusSwitchingProtocols) // for the access log
	conn, err := upgrader.Upgrade(meteredWriter{c.Writer, m}, c.Request, answer)
	if err != nil {
		h.leave(m)
		m.left()
		h.active.Done()
		return
	}
	m.open(conn)
	// In a goroutine of its own, so that the request and its stack are freed and an
	// idle connection costs as little as possible.
	go m.serve()
}

// handshake rejects invalid requests before the member joins (RFC 6455, 4.2.1).
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

// noBuffers is an empty pool for the library.
type noBuffers struct{}

func (noBuffers) Get() any { return nil }
func (noBuffers) Put(any)  {}

// subprotocol selects one of the offered subprotocols.
func subprotocol(r *http.Request) string {
	offered := websocket.Subprotocols(r)
	for _, protocol := range offered {
		if !strings.HasPrefix(protocol, "bearer.") {
			return protocol
		}
	}
	if len(offered) > 0 {
		return offered[0] // browsers reject a response that selects none
	}
	return ""
}

// allowed reports whether the Origin is that of the application or a configured one.
// Clients other than browsers send no Origin (RFC 6455, 10.2).
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
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxRoomName {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}
