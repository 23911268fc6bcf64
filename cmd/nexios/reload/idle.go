package reload

import (
	"net"
	"net/http"
	"sync"
)

// idleConns are connections without a request so far, which browsers open in advance.
// Shutdown would wait five seconds for each of them.
type idleConns struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

func (u *idleConns) note(conn net.Conn, state http.ConnState) {
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

func (u *idleConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for conn := range u.open {
		_ = conn.Close() // it may be closed already
	}
}
