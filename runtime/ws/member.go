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
	writeTimeout = 10 * time.Second        // for one system call
	closeTimeout = 1500 * time.Millisecond // for the peer to answer a close frame; less than drainTimeout
	writeBuffer  = 16 << 10                // size of the buffer for coalesced writes
)

// Options configures a connection. Every function may be nil. They are called one at a
// time for a member, Joined first and Left last, and must not block for long.
type Options struct {
	// Name identifies the user; see Hub.Members and Limits.User. Without a name,
	// connections are limited by address only.
	Name string
	// Recheck is called every second: an error with the status 401 or 403 closes the
	// connection with 1008. Other errors are treated as server errors, and the
	// connection stays open.
	Recheck func(context.Context) error
	Joined  func(*Member)
	// Text is called with every text message: valid UTF-8 of at most Limits.Message
	// bytes, owned by the callee. Binary messages are ignored.
	Text func(*Member, []byte)
	Left func(*Member)
}

// Member is one connection. Its methods may be called from any goroutine and never wait
// for the network.
type Member struct {
	hub     *Hub
	room    *room // nil outside rooms
	index   int   // index in room.members, guarded by room.mu
	serial  int64 // makes its entry in Redis unique
	options Options
	client  netip.Addr
	conn    *websocket.Conn // set when opened
	limiter *rate.Limiter

	mu       sync.Mutex
	opened   bool // handshake complete; until then frames are only queued
	state    state
	queue    [][]byte // encoded frames
	spare    [][]byte // the previous queue, kept for its memory
	size     int      // bytes in queue
	writer   bool     // a goroutine is writing
	readDone bool     // reading has ended; the writer closes the connection when done
	reason   string   // why the server ended the connection
}

// state is the state of a connection; it only increases.
type state int

const (
	live    state = iota
	closing       // the last frame in the queue is a close frame
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

// Send sends v to this member only: strings and bytes as text, anything else as JSON. A
// value that cannot be encoded is an error; a closed connection is not.
func (m *Member) Send(v any) error {
	payload, err := text(v)
	if err == nil {
		m.push(encode(websocket.TextMessage, payload))
	}
	return err
}

// Broadcast sends v to every other member of the room, on all replicas, and, if there
// is a history, to members who join later.
func (m *Member) Broadcast(v any) error { return m.broadcast(v, m.hub.history) }

// Announce is [Member.Broadcast] for messages that only matter now: they are not kept
// in the history.
func (m *Member) Announce(v any) error { return m.broadcast(v, 0) }

func (m *Member) broadcast(v any, keep int) error {
	if m.room == nil {
		_, err := text(v)
		return err
	}
	return m.hub.broadcast(m.room, m.room.name, v, m, keep)
}

// Close ends the connection with a close code (RFC 6455, 7.4) and a reason of at most
// 123 bytes, after the messages already queued.
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

// end queues a close frame as the last frame and sets a deadline for the peer's answer.
func (m *Member) end(code int, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state >= closing {
		return
	}
	m.enqueue(closeFrame(code, reason))
	m.state, m.reason = closing, reason
	if m.opened {
		_ = m.conn.SetReadDeadline(time.Now().Add(closeTimeout))
	}
}

// open starts writing queued frames after the handshake.
func (m *Member) open(conn *websocket.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn, m.opened = conn, true
	switch {
	case m.state == closed:
		_ = conn.NetConn().SetDeadline(past)
	case m.state == closing:
		_ = conn.SetReadDeadline(time.Now().Add(closeTimeout))
	}
	if len(m.queue) > 0 {
		m.writer = true
		go m.write()
	}
}

// enqueue appends to the queue and starts a writer if there is none. The caller holds
// m.mu.
func (m *Member) enqueue(frame []byte) {
	m.queue = append(m.queue, frame)
	m.size += len(frame)
	if m.opened && !m.writer {
		m.writer = true
		go m.write()
	}
}

// abort closes the connection immediately and discards unsent data, including that in
// the kernel's buffer. The caller holds m.mu.
func (m *Member) abort(reason string) {
	m.state, m.reason = closed, reason
	m.queue, m.spare, m.size = nil, nil, 0
	if !m.opened {
		return
	}
	if tcp, ok := unwrap(m.conn.NetConn()).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = m.conn.NetConn().SetDeadline(past) // unblocks reader and writer
}

// write writes the queue until it is empty.
func (m *Member) write() {
	conn := m.conn.NetConn()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	for {
		m.mu.Lock()
		batch := m.queue
		if len(batch) == 0 || m.state == closed {
			m.writer = false
			readDone := m.readDone
			m.mu.Unlock()
			if readDone {
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
		if cap(batch) <= 64 { // do not keep the memory of a burst
			m.spare = batch
		}
		m.mu.Unlock()
	}
}

// coalesce writes whole frames in as few calls as the buffer allows.
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

// serve runs for the lifetime of the connection.
func (m *Member) serve() {
	defer m.hub.active.Done()
	err := m.read()
	m.hub.leave(m) // before Left, so that its announcement is true
	m.left()
	m.drain(err)
	m.finish()
}

// read passes incoming messages to Options.Text until the connection ends.
func (m *Member) read() error {
	defer m.recoverPanic()
	m.conn.SetReadLimit(m.hub.Limits.Message)
	m.conn.SetPongHandler(func(string) error {
		m.throttle(1)
		m.extendDeadline()
		return nil
	})
	m.conn.SetPingHandler(func(data string) error {
		m.throttle(1)
		m.extendDeadline()
		m.push(encode(websocket.PongMessage, []byte(data)))
		return nil
	})
	m.conn.SetCloseHandler(func(code int, _ string) error {
		m.end(code, "")
		return nil
	})
	for {
		m.extendDeadline()
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

// extendDeadline extends the read deadline.
func (m *Member) extendDeadline() {
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

// throttle waits until n more units are within the rate; a message is one unit, and so
// are 4 KiB. Meanwhile nothing is read, so TCP slows the sender down and no data is
// lost.
func (m *Member) throttle(n int) {
	now := time.Now()
	r := m.limiter.ReserveN(now, min(n, m.limiter.Burst()))
	if delay := r.DelayFrom(now); delay > 0 {
		time.Sleep(delay)
	}
}

// drain keeps reading briefly after a protocol or size error, for which the library has
// sent the close frame: closing with unread bytes would reset the connection, and the
// peer might not receive that frame.
func (m *Member) drain(err error) {
	var network net.Error
	var closed *websocket.CloseError
	if err == nil || errors.As(err, &network) || errors.As(err, &closed) || errors.Is(err, io.EOF) {
		return
	}
	conn := unwrap(m.conn.NetConn())
	_ = conn.SetReadDeadline(time.Now().Add(closeTimeout))
	_, _ = io.CopyN(io.Discard, conn, 16*m.hub.Limits.Message)
}

// finish closes the connection once the queue has been written.
func (m *Member) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.readDone = true
	if m.state == closed || !m.writer {
		m.state = closed
		_ = m.conn.NetConn().Close()
		return
	}
	m.state = closing
	_ = m.conn.NetConn().SetWriteDeadline(time.Now().Add(closeTimeout))
}

// joined calls Options.Joined.
func (m *Member) joined() {
	defer m.recoverPanic()
	if m.options.Joined != nil {
		m.options.Joined(m)
	}
}

// left calls Options.Left.
func (m *Member) left() {
	defer m.recoverPanic()
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

// recoverPanic confines a panic of the application to its connection.
func (m *Member) recoverPanic() {
	if p := recover(); p != nil {
		m.hub.log.Error("websocket handler panicked", "room", m.Room(), "panic", p, "stack", string(debug.Stack()))
		m.end(websocket.CloseInternalServerErr, "internal error")
	}
}

// past is a deadline that ends pending reads and writes.
var past = time.Unix(1, 0)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, writeBuffer); return &b }}
