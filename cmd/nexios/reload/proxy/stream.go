package proxy

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// eventStream is the body of an answer without end. After end it is complete
// for its reader, so that the client sees a whole answer and asks again.
type eventStream struct {
	io.ReadCloser
	set  *process.Streams
	mu   sync.Mutex
	over bool
}

func (e *eventStream) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil && e.over {
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
	e.over = true
	e.mu.Unlock()
	e.ReadCloser.Close()
}

// webSocket is the connection to the program after a handshake. When it ends
// without a close frame, which it does at a swap, the client is sent one with
// code 1012, "service restart" (RFC 6455 section 5.5.1 and its registry).
type webSocket struct {
	io.ReadWriteCloser
	set    *process.Streams
	frames frames // what has gone to the client; only Read touches it
}

func (s *webSocket) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	s.frames.pass(p[:n])
	if n > 0 || err == nil {
		return n, nil
	}
	if goodbye := s.frames.goodbye(); len(p) >= len(goodbye) {
		return copy(p, goodbye), io.EOF
	}
	return 0, io.EOF
}

func (s *webSocket) Close() error {
	s.set.Remove(s)
	return s.ReadWriteCloser.Close()
}

func (s *webSocket) End() { s.ReadWriteCloser.Close() }

// frames follows the frames of RFC 6455 in a byte stream, so that one of ours
// never lands inside another.
type frames struct {
	head   []byte // of a frame whose head is not complete
	left   uint64 // bytes of the frame under way
	closed bool   // a close frame went by
}

func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.head = append(f.head, p[0])
		p = p[1:]
		length, whole := frameLength(f.head)
		if !whole {
			continue
		}
		if f.head[0]&0x0f == 0x8 {
			f.closed = true
		}
		f.left = length
		f.head = f.head[:0]
	}
}

// goodbye is a close frame if one may be sent now, or nothing.
func (f *frames) goodbye() []byte {
	if f.closed || f.left > 0 || len(f.head) > 0 {
		return nil
	}
	f.closed = true
	return []byte{0x88, 2, 1012 >> 8, 1012 & 0xff}
}

// frameLength is how many bytes follow the head of a frame, mask included;
// whole is false when more of the head is needed to say so.
func frameLength(head []byte) (length uint64, whole bool) {
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
