package proxy

import (
	_ "embed"
	"net/http"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"

	"github.com/gorilla/websocket"
)

//go:embed assets/reload.js
var reloadScript []byte

// Status is what open pages are sent.
type Status struct {
	State   string       `json:"state"`             // "ok", "building", "failed", "down"
	Version string       `json:"version,omitempty"` // of the version that serves
	Project string       `json:"project"`
	Build   *event.Build `json:"build,omitempty"` // the failed build
	Text    string       `json:"text,omitempty"`
	Assets  []string     `json:"assets,omitempty"` // files to reload without a new version
}

// Live sends the status to all open pages.
type Live struct {
	mu       sync.Mutex
	last     Status
	pages    map[chan Status]bool
	upgrader websocket.Upgrader // rejects other origins
	done     chan struct{}      // closed by Close
}

// NewLive returns a Live for the named project.
func NewLive(project string) *Live {
	return &Live{
		last:  Status{State: "building", Project: project},
		pages: map[chan Status]bool{},
		done:  make(chan struct{}),
	}
}

// Close closes the connections of all pages.
func (l *Live) Close() { close(l.done) }

// Send sends s to all open pages, and to later ones when they connect.
func (l *Live) Send(s Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Project = l.last.Project
	for page := range l.pages {
		select {
		case page <- s:
		default: // a page that does not read gets the next status
		}
	}
	s.Assets = nil
	l.last = s
}

// State returns the last status sent.
func (l *Live) State() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Script serves the script of all pages.
func (l *Live) Script(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(reloadScript) // the client may be gone
}

// ServeHTTP sends a page the status over a WebSocket until the page is closed.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := l.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has responded
	}
	defer conn.Close()
	page := make(chan Status, 16)
	l.mu.Lock()
	page <- l.last
	l.pages[page] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pages, page)
		l.mu.Unlock()
	}()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for { // pages send nothing; reading detects that they are closed
			if _, _, err := conn.NextReader(); err != nil {
				return
			}
		}
	}()
	for {
		select {
		case s := <-page:
			_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if conn.WriteJSON(s) != nil {
				return
			}
		case <-closed:
			return
		case <-l.done:
			return
		}
	}
}
