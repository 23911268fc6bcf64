package reload

import (
	_ "embed"
	"html"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

//go:embed assets/reload.js
var reloadScript []byte

// status is what an open page is told.
type status struct {
	State   string   `json:"state"`             // "ok", "building", "failed", "down"
	Version string   `json:"version,omitempty"` // of what answers
	Project string   `json:"project"`
	Build   *Build   `json:"build,omitempty"` // what failed
	Text    string   `json:"text,omitempty"`
	Assets  []string `json:"assets,omitempty"` // files to load again without a new version
}

// live tells every open page what happens.
type live struct {
	mu    sync.Mutex
	last  status
	pages map[chan status]bool
	up    websocket.Upgrader // its own check refuses other origins
	over  chan struct{}      // closed at the end
}

func newLive(project string) *live {
	return &live{
		last:  status{State: "building", Project: project},
		pages: map[chan status]bool{},
		over:  make(chan struct{}),
	}
}

// close ends the connections of all pages.
func (l *live) close() { close(l.over) }

// tell sends s to all pages, and to those that come later.
func (l *live) tell(s status) {
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

// state is what pages were told last.
func (l *live) state() status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *live) script(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(reloadScript) // the page may be gone
}

func (l *live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := l.up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer conn.Close()
	page := make(chan status, 16)
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

func htmlEscape(s string) string { return html.EscapeString(s) }
