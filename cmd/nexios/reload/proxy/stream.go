package proxy

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// eventStream is the body of an endless response. After End it reads as complete, so
// that the client sees a proper end and reconnects.
type eventStream struct {
	io.ReadCloser
	set   *process.Streams
	mu    sync.Mutex
	ended bool
}

func (e *eventStream) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil && e.ended {
		err = io.EOF
	}
	return n, err
}

func (e *eventStream) Close() error {
	e.set.Remove(e)
	return e.ReadCloser.Close()
}

func (e *eventStream) End() {
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
	e.ReadCloser.Close()
}

// webSocket is the connection to the program after a handshake. If it ends without a
// close frame, as at a swap, the client is sent one with code 1012, "service restart"
// (RFC 6455 section 5.5.1 and its registry).
type webSocket struct {
	io.ReadWriteCloser
	set    *process.Streams
	frames frames // sent to the client; only used by Read
}

func (s *webSocket) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	s.frames.track(p[:n])
	if n > 0 || err == nil {
		return n, nil
	}
	if closeFrame := s.frames.closeFrame(); len(p) >= len(closeFrame) {
		return copy(p, closeFrame), io.EOF
	}
	return 0, io.EOF
}

func (s *webSocket) Close() error {
	s.set.Remove(s)
	return s.ReadWriteCloser.Close()
}

func (s *webSocket) End() { s.ReadWriteCloser.Close() }

// frames tracks the frames of RFC 6455 in a byte stream, so that a close frame is never
// inserted into another frame.
type frames struct {
	head   []byte // incomplete header
	left   uint64 // remaining bytes of the current frame
	closed bool   // a close frame has passed
}

func (f *frames) track(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.head = append(f.head, p[0])
		p = p[1:]
		length, complete := frameLength(f.head)
		if !complete {
			continue
		}
		if f.head[0]&0x0f == 0x8 {
			f.closed = true
		}
		f.left = length
		f.head = f.head[:0]
	}
}

// closeFrame returns a close frame if one may be sent now, or nil.
func (f *frames) closeFrame() []byte {
	if f.closed || f.left > 0 || len(f.head) > 0 {
		return nil
	}
	f.closed = true
	return []byte{0x88, 2, 1012 >> 8, 1012 & 0xff}
}

// frameLength returns the number of bytes after the header of a frame, including the
// mask; complete is false if the header is incomplete.
func frameLength(head []byte) (length uint64, complete bool) {
	if len(head) < 2 {
		return 0, false
	}
	var mask uint64
	if head[1]&0x80 != 0 {
		mask = 4
	}
	switch short := head[1] & 0x7f; {
	case short < 126:
		return uint64(short) + mask, true
	case short == 126 && len(head) >= 4:
		return uint64(binary.BigEndian.Uint16(head[2:])) + mask, true
	case short == 127 && len(head) >= 10:
		return binary.BigEndian.Uint64(head[2:]) + mask, true
	}
	return 0, false
}
