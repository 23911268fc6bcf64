package ws

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

const (
	writeTimeout = 10 * time.Second        // for one call to the kernel
	goodbye      = 1500 * time.Millisecond // for the other side to answer a close; less than drainLimit
	scratch      = 16 << 10                // bytes of one coalesced write
)

// Options is what happens on a connection. Every function may be nil. They are
// called one at a time for a member, Joined first and Left last, and must not
// block for long.
type Options struct {
	// Name is who it is; see Hub.Members and Limits.User. Without a name only the
	// address is limited.
	Name string
	// Recheck is asked every second whether the member may stay: an error with
	// the status 401 or 403 closes the connection with 1008. Other errors are
	// taken for trouble of ours, and it stays.
	Recheck func(context.Context) error
	Joined  func(*Member)
	// Text is called with every text message, which is valid UTF-8 of at most
	// Limits.Message bytes and belongs to the callee. Binary messages are
	// ignored.
	Text func(*Member, []byte)
	Left func(*Member)
}

// Member is one connection. Its methods may be called from any goroutine and
// never wait for a network.
type Member struct {
	hub     *Hub
	room    *room // nil outside rooms
	place   int   // in room.members, under room.mu
	serial  int64 // tells it apart in Redis
	options Options
	client  netip.Addr
	conn    *websocket.Conn // set when opened
	limiter *rate.Limiter

	mu     sync.Mutex
	opened bool // the handshake is done; until then frames only wait
	state  state
	queue  [][]byte // encoded frames
	spare  [][]byte // the queue before, for its memory
	size   int      // bytes in queue
	writer bool     // a goroutine is writing
	over   bool     // nothing is read any more; the writer closes when it is done
	reason string   // why we ended the connection
}

// state of a connection; it only grows.
type state int

const (
	live    state = iota
	closing       // a close frame is the last in the queue
	closed        // nothing more is written
)

// Name returns Options.Name.
func (m *Member) Name() string { return m.options.Name }

// Room returns the name of the room, or "".
func (m *Member) Room() string {
	if m.room == nil {
		return ""
	}
	return m.room.name
}

// Send says v to this member alone: strings and bytes as text, anything else
// as JSON. What cannot be encoded is an error; a closed connection is not.
func (m *Member) Send(v any) error {
	payload, err := text(v)
	if err == nil {
		m.push(encode(websocket.TextMessage, payload))
	}
	return err
}

// Broadcast says v to every other member of the room, on all replicas, and to
// those who join later when there is a history.
func (m *Member) Broadcast(v any) error { return m.say(v, m.hub.history) }

// Announce is Broadcast for what only matters now: no history keeps it.
func (m *Member) Announce(v any) error { return m.say(v, 0) }

func (m *Member) say(v any, keep int) error {
	if m.room == nil {
		_, err := text(v)
		return err
	}
	return m.hub.say(m.room, m.room.name, v, m, keep)
}

// Close ends the connection with a close code (RFC 6455, 7.4) and a reason of
// at most 123 bytes, after what is already queued.
func (m *Member) Close(code int, reason string) {
	m.end(code, reason)
}

// push queues an encoded frame. It never blocks: a member whose queue is full
// is dropped.
func (m *Member) push(frame []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state >= closing {
		return
	}
	if m.size+len(frame) > m.hub.Limits.Queue {
		m.abort("does not read its messages")
		return
	}
	m.enqueue(frame)
}

// end queues a close frame as the last, and bounds how long its answer may
// take.
func (m *Member) end(code int, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state >= closing {
		return
	}
	m.enqueue(closeFrame(code, reason))
	m.state, m.reason = closing, reason
	if m.opened {
		_ = m.conn.SetReadDeadline(time.Now().Add(goodbye))
	}
}

// open lets what waits be written; the handshake is done.
func (m *Member) open(conn *websocket.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn, m.opened = conn, true
	switch {
	case m.state == closed:
		_ = conn.NetConn().SetDeadline(past)
	case m.state == closing:
		_ = conn.SetReadDeadline(time.Now().Add(goodbye))
	}
	if len(m.queue) > 0 {
		m.writer = true
		go m.write()
	}
}

// enqueue appends to the queue and sees that somebody writes; m.mu is held.
func (m *Member) enqueue(frame []byte) {
	m.queue = append(m.queue, frame)
	m.size += len(frame)
	if m.opened && !m.writer {
		m.writer = true
		go m.write()
	}
}

// abort breaks the connection without ceremony; m.mu is held. What the kernel
// still holds for a member that does not read is thrown away.
func (m *Member) abort(reason string) {
	m.state, m.reason = closed, reason
	m.queue, m.spare, m.size = nil, nil, 0
	if !m.opened {
		return
	}
	if tcp, ok := plain(m.conn.NetConn()).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = m.conn.NetConn().SetDeadline(past) // reader and writer end
}

// write empties the queue and ends.
func (m *Member) write() {
	conn := m.conn.NetConn()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for {
		m.mu.Lock()
		batch := m.queue
		if len(batch) == 0 || m.state == closed {
			m.writer = false
			over := m.over
			m.mu.Unlock()
			if over {
				_ = conn.Close()
			}
			return
		}
		m.queue, m.spare, m.size = m.spare[:0], nil, 0
		_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		m.mu.Unlock()

		err := coalesce(conn, batch, (*buffer)[:0])
		clear(batch)

		m.mu.Lock()
		if err != nil && m.state != closed {
			m.abort("does not read its messages")
		}
		if cap(batch) <= 64 { // what a burst needed is not kept for ever
			m.spare = batch
		}
		m.mu.Unlock()
	}
}

// coalesce writes whole frames in as few calls as fit.
func coalesce(conn net.Conn, frames [][]byte, buffer []byte) error {
	for _, frame := range frames {
		if len(buffer) > 0 && len(buffer)+len(frame) > cap(buffer) {
			if _, err := conn.Write(buffer); err != nil {
				return err
			}
			buffer = buffer[:0]
		}
		if len(frame) > cap(buffer) {
			if _, err := conn.Write(frame); err != nil {
				return err
			}
			continue
		}
		buffer = append(buffer, frame...)
	}
	if len(buffer) == 0 {
		return nil
	}
	_, err := conn.Write(buffer)
	return err
}

// serve lives as long as the connection.
func (m *Member) serve() {
	defer m.hub.active.Done()
	err := m.read()
	m.hub.leave(m) // before Left, whose announcement is true then
	m.left()
	m.drain(err)
	m.finish()
}

// read hands on what arrives until the connection ends.
func (m *Member) read() error {
	defer m.recovered()
	m.conn.SetReadLimit(m.hub.Limits.Message)
	m.conn.SetPongHandler(func(string) error {
		m.throttle(1)
		m.alive()
		return nil
	})
	m.conn.SetPingHandler(func(data string) error {
		m.throttle(1)
		m.alive()
		m.push(encode(websocket.PongMessage, []byte(data)))
		return nil
	})
	m.conn.SetCloseHandler(func(code int, _ string) error {
		m.end(code, "")
		return nil
	})
	for {
		m.alive()
		kind, data, err := m.conn.ReadMessage()
		if err != nil {
			return err
		}
		m.throttle(1)
		switch {
		case kind != websocket.TextMessage:
		case !utf8.Valid(data):
			m.end(websocket.CloseInvalidFramePayloadData, "text is not UTF-8")
		case m.options.Text != nil && !m.ending():
			m.options.Text(m, data)
		}
	}
}

// alive allows the member another while of silence.
func (m *Member) alive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == live {
		_ = m.conn.SetReadDeadline(time.Now().Add(m.hub.Limits.Silence))
	}
}

func (m *Member) ending() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state >= closing
}

// throttle waits until so much is within the rate, where a message counts as one and
// so do 4 KiB. While it waits nothing is read, so the sender is slowed by TCP, and
// nothing is lost.
func (m *Member) throttle(n int) {
	now := time.Now()
	r := m.limiter.ReserveN(now, min(n, m.limiter.Burst()))
	if delay := r.DelayFrom(now); delay > 0 {
		time.Sleep(delay)
	}
}

// drain reads on for a moment after an error of protocol or size, for which
// the library has sent the close frame: closing over unread bytes would reset
// the connection and take that frame from the other side.
func (m *Member) drain(err error) {
	var network net.Error
	var closed *websocket.CloseError
	if err == nil || errors.As(err, &network) || errors.As(err, &closed) || errors.Is(err, io.EOF) {
		return
	}
	conn := plain(m.conn.NetConn())
	_ = conn.SetReadDeadline(time.Now().Add(goodbye))
	_, _ = io.CopyN(io.Discard, conn, 16*m.hub.Limits.Message)
}

// finish closes the connection, once what is queued has been written.
func (m *Member) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
	if m.state == closed || !m.writer {
		m.state = closed
		_ = m.conn.NetConn().Close()
		return
	}
	m.state = closing
	_ = m.conn.NetConn().SetWriteDeadline(time.Now().Add(goodbye))
}

// joined tells the application that the member is in.
func (m *Member) joined() {
	defer m.recovered()
	if m.options.Joined != nil {
		m.options.Joined(m)
	}
}

// left tells the application that the member is gone.
func (m *Member) left() {
	defer m.recovered()
	m.mu.Lock()
	reason := m.reason
	m.mu.Unlock()
	if reason != "" {
		m.hub.log.Debug("websocket ended", "room", m.Room(), "name", m.Name(), "reason", reason)
	}
	if m.options.Left != nil {
		m.options.Left(m)
	}
}

// recovered keeps a panic of the application within its connection.
func (m *Member) recovered() {
	if p := recover(); p != nil {
		m.hub.log.Error("websocket handler panicked", "room", m.Room(), "panic", p, "stack", string(debug.Stack()))
		m.end(websocket.CloseInternalServerErr, "internal error")
	}
}

// past is a deadline that ends what is under way.
var past = time.Unix(1, 0)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, scratch); return &b }}
