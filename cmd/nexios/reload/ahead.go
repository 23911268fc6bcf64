package reload

import (
	"net"
	"net/http"
	"sync"
)

// unasked are the connections on which nothing was asked yet, as browsers open
// ahead. Shutdown would wait five seconds for a request on each.
type unasked struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

func (u *unasked) note(conn net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state != http.StateNew {
		delete(u.open, conn)
		return
	}
	if u.open == nil {
		u.open = map[net.Conn]bool{}
	}
	u.open[conn] = true
}

func (u *unasked) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for conn := range u.open {
		_ = conn.Close() // it may have ended by itself
	}
}
