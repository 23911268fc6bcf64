package reload

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"
)

//go:embed assets/dev.html
var devHTML string

var devPage = template.Must(template.New("dev").Funcs(template.FuncMap{
	"duration": event.Duration,
	"clock":    func(t time.Time) string { return t.Format("15:04:05") },
	"many":     func(count int) bool { return count > event.ManyRepeats },
	"level": func(e event.Event) string {
		return [...]string{"", "warn", "bad"}[logWeight(e)]
	},
	"class": func(status int) string {
		switch {
		case status >= 500:
			return "bad"
		case status >= 400:
			return "warn"
		}
		return "good"
	},
}).Parse(devHTML))

// devView is the data of the page at /dev.
type devView struct {
	Project  string
	Address  string
	State    proxy.Status
	Build    *event.Build
	Parts    string
	Failed   bool
	Test     *event.Test
	Panels   []panel
	Routes   []route
	NoRoutes string // why the list is empty
	Requests []event.Request
	Logs     []event.Event
	Settings []setting
}

// loopbackOnly allows only requests from this machine with an address as Host: the page
// shows private data, and a website whose name was pointed at this machine (DNS
// rebinding) must not read it.
func loopbackOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		ip := net.ParseIP(host)
		if ip == nil || !ip.IsLoopback() || !loopbackName(r.Host) || proxy.Forwarded(r) {
			http.Error(w, "only on this machine", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// loopbackName reports whether a Host header names this machine.
func loopbackName(host string) bool {
	if !proxy.LocalName(host) {
		return false
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return ip == nil || ip.IsLoopback()
}

// rejectRebinding rejects Host headers with names that could be pointed at this machine
// (DNS rebinding), but allows other machines: a phone may open a page as well.
func rejectRebinding(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !proxy.LocalName(r.Host) {
			http.Error(w, "open it by IP address, not by name", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// serveDev serves /dev.
func serveDev(view func() devView) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Accept")
		if r.Header.Get("Accept") == "application/json" {
			h.Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(view().status()) // the client may be gone
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		_ = devPage.Execute(w, view()) // the browser may be gone
	}
}

// view returns the current data of the page at /dev.
func (s *server) view() devView {
	v := devView{
		Project: filepath.Base(s.dir), Address: s.url, State: s.live.State(),
		Settings: settings(s.dir, s.environ()),
	}
	v.Routes, v.NoRoutes = s.routes.get(s)
	if a := s.proxy.Running(); a != nil {
		v.Panels = panels(a, v.Routes)
	}
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	v.Requests = newest(s.board.requests, requestsKept)
	v.Logs = newest(s.board.logs, requestsKept)
	v.Build, v.Failed, v.Test = s.board.build, s.board.failed, s.board.test
	if v.Build != nil {
		v.Parts = v.Build.Parts()
	}
	return v
}
