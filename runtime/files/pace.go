package files

import (
	"io"
	"net/http"
	"time"
)

// Limits of slow clients: a connection is closed after patience, plus one second for
// every pace bytes transferred. That disconnects clients that stall as well as those
// that send or read a few bytes at a time.
const (
	gracePeriod = 30 * time.Second
	minRate     = 8 << 10
)

// pacedReader extends the connection's deadline at most once a second while data is
// read, so that a transfer may take as long as it makes progress.
type pacedReader struct {
	r      io.Reader
	extend func(deadline time.Time)
	n      int64
	start  time.Time
	last   time.Time
}

func (p *pacedReader) Read(b []byte) (int, error) {
	now := time.Now()
	if p.start.IsZero() {
		p.start = now
	}
	if now.Sub(p.last) >= time.Second {
		p.last = now
		p.extend(p.start.Add(gracePeriod + time.Duration(p.n/minRate)*time.Second))
	}
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, err
}

// extendBoth extends the read deadline and, since the response follows the upload, the
// write deadline. It does nothing for a writer without deadlines.
func extendBoth(w http.ResponseWriter) func(time.Time) {
	control := http.NewResponseController(w)
	return func(deadline time.Time) {
		_ = control.SetReadDeadline(deadline)
		_ = control.SetWriteDeadline(deadline.Add(gracePeriod))
	}
}

func extendWrite(w http.ResponseWriter) func(time.Time) {
	control := http.NewResponseController(w)
	return func(deadline time.Time) { _ = control.SetWriteDeadline(deadline) }
}
