package files

import (
	"io"
	"net/http"
	"time"
)

// How slow a client may be before its connection is cut: it has patience, and
// one second more for every pace bytes that it took or sent. That stops both a
// client that stalls and one that drips.
const (
	patience = 30 * time.Second
	pace     = 8 << 10
)

// paced moves a connection's deadline with every second in which something
// was read, so that a transfer may take as long as it goes on.
type paced struct {
	r      io.Reader
	extend func(deadline time.Time)
	n      int64
	start  time.Time
	last   time.Time
}

func (p *paced) Read(b []byte) (int, error) {
	now := time.Now()
	if p.start.IsZero() {
		p.start = now
	}
	if now.Sub(p.last) >= time.Second {
		p.last = now
		p.extend(p.start.Add(patience + time.Duration(p.n/pace)*time.Second))
	}
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, err
}

// extendBoth moves the deadline for reading and, since the answer comes after
// the upload, that for writing. A writer without deadlines has none to move.
func extendBoth(w http.ResponseWriter) func(time.Time) {
	control := http.NewResponseController(w)
	return func(deadline time.Time) {
		_ = control.SetReadDeadline(deadline)
		_ = control.SetWriteDeadline(deadline.Add(patience))
	}
}

func extendWrite(w http.ResponseWriter) func(time.Time) {
	control := http.NewResponseController(w)
	return func(deadline time.Time) { _ = control.SetWriteDeadline(deadline) }
}
