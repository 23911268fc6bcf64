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

// Status is what an open page is told.
type Status struct {
	State   string       `json:"state"`             // "ok", "building", "failed", "down"
	Version string       `json:"version,omitempty"` // of what answers
	Project string       `json:"project"`
	Build   *event.Build `json:"build,omitempty"` // what failed
	Text    string       `json:"text,omitempty"`
	Assets  []string     `json:"assets,omitempty"` // files to load again without a new version
}

// Live tells every open page what happens.
type Live struct {
	mu    sync.Mutex
	last  Status
	pages map[chan Status]bool
	up    websocket.Upgrader // its own check refuses other origins
	over  chan struct{}      // closed at the end
}

// NewLive makes a Live of a project of that name.
func NewLive(project string) *Live {
	return &Live{
		last:  Status{State: "building", Project: project},
		pages: map[chan Status]bool{},
		over:  make(chan struct{}),
	}
}

// Close ends the connections of all pages.
func (l *Live) Close() { close(l.over) }

// Tell sends s to all pages, and to those that come later.
func (l *Live) Tell(s Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Project = l.last.Project
	for page := range l.pages {
		select {
		case page <- s:
		default: // a page that does not read gets the next one
		}
	}
	s.Assets = nil
	l.last = s
}

// State is what pages were told last.
func (l *Live) State() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Script answers with the script of all pages.
func (l *Live) Script(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(reloadScript) // the page may be gone
}

// ServeHTTP tells one page what happens, by a WebSocket, until it leaves.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := l.up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
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
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for { // pages send nothing; reading is how their end is noticed
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
		case <-gone:
			return
		case <-l.over:
			return
		}
	}
}
