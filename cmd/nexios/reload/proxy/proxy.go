package proxy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

const (
	// holdLimit is how long a request waits for a build before it goes to the last good
	// version.
	holdLimit = 30 * time.Second
	// BuildHeader is set on responses that do not come from the newest source: "failed"
	// or "building".
	BuildHeader = "X-Nexios-Build"
)

// Proxy owns the port. Requests go to the current version; while a newer one is being
// built, they wait.
type Proxy struct {
	session string // distinguishes versions from those of earlier runs
	emit    func(event.Event)
	Own     http.Handler // handles ownPrefix and /dev
	reverse *httputil.ReverseProxy
	traces  traces

	mu      sync.Mutex
	current *process.App  // nil before the first version and after a crash
	gate    chan struct{} // closed to release waiting requests; nil if requests need not wait
	problem *event.Build  // the failed build of the newest source, or nil
	down    string        // why there is no current version
}

// New returns a Proxy without a version, which emits each request. session
// distinguishes its versions from those of earlier runs.
func New(session string, emit func(event.Event)) *Proxy {
	p := &Proxy{session: session, emit: emit, gate: make(chan struct{}), traces: traces{open: map[string]*trace{}}}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      p,
		FlushInterval:  -1,
		ModifyResponse: p.modify,
		ErrorHandler:   p.proxyError,
		ErrorLog:       log.New(io.Discard, "", 0), // proxyError reports what matters
	}
	return p
}

// Hold makes requests wait until Release.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate == nil {
		p.gate = make(chan struct{})
	}
}

// Release releases waiting requests. problem is the failed build of the newest source,
// or nil.
func (p *Proxy) Release(problem *event.Build) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problem = problem
	p.open()
}

// open closes the gate. The caller must hold the lock.
func (p *Proxy) open() {
	if p.gate != nil {
		close(p.gate)
		p.gate = nil
	}
}

// Swap makes a the current version and returns the previous one, or nil.
func (p *Proxy) Swap(a *process.App) (before *process.App) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.current, p.problem, p.down = p.current, a, nil, ""
	p.open()
	return before
}

// Drop removes the version a, which exited on its own, if it is still the current one.
func (p *Proxy) Drop(a *process.App, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == a {
		p.current, p.down = nil, why
	}
}

// Running returns the current version, or nil.
func (p *Proxy) Running() *process.App {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// forwarded is a request to a version.
type forwarded struct {
	app   *process.App
	stale string // value of BuildHeader, or empty
	leave func() // excludes the request from draining; may be called twice
	page  bool
	trace *trace
}

type forwardedKey struct{}

func forwardedFrom(ctx context.Context) *forwarded { return ctx.Value(forwardedKey{}).(*forwarded) }

// errDown means that no version can serve the request.
var errDown = errors.New("the program is not running")

// admit waits until requests may proceed and returns the version that serves.
func (p *Proxy) admit(ctx context.Context) (*forwarded, error) {
	limit := time.NewTimer(holdLimit)
	defer limit.Stop()
	mayWait := true
	for {
		p.mu.Lock()
		gate := p.gate
		if gate == nil || (!mayWait && p.current != nil) {
			defer p.mu.Unlock()
			if p.current == nil {
				return nil, errDown
			}
			v := &forwarded{app: p.current}
			switch {
			case gate != nil:
				v.stale = "building"
			case p.problem != nil:
				v.stale = "failed"
			}
			v.app.Requests.Add(1)
			v.leave = sync.OnceFunc(v.app.Requests.Done)
			return v, nil
		}
		p.mu.Unlock()
		select {
		case <-gate:
		case <-limit.C:
			mayWait = false
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ServeHTTP serves the proxy's own paths and forwards everything else to a version.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, ownPrefix) || r.URL.Path == "/dev" {
		p.Own.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/dev/") && Forwarded(r) {
		http.Error(w, "only on this machine", http.StatusForbidden) // the program would see the address of the forwarding proxy only
		return
	}
	arrived := time.Now()
	v, err := p.admit(r.Context())
	entered := time.Now()
	rec := &recorder{ResponseWriter: w}
	if err == nil {
		v.trace = p.traces.begin(requestID(r))
	}
	defer func() {
		p.report(v, event.Request{
			Time: arrived, Method: r.Method, Path: r.URL.RequestURI(), Status: rec.status, Bytes: rec.bytes,
			Took: event.Milliseconds(time.Since(entered)), Waited: event.Milliseconds(entered.Sub(arrived)),
		})
	}()
	if err != nil {
		if errors.Is(err, errDown) {
			p.unavailable(rec, r)
		}
		return
	}
	defer v.leave()
	v.page = wantsPage(r)
	if v.stale != "" {
		rec.Header().Set(BuildHeader, v.stale)
	}
	p.reverse.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), forwardedKey{}, v)))
}

// report emits a finished request; v is nil if no version served it. The program's last
// record of the request arrives shortly after the response.
func (p *Proxy) report(v *forwarded, r event.Request) {
	if v == nil {
		p.emit(event.Event{Kind: event.KindRequest, Request: &r})
		return
	}
	r.Build, r.Stale, r.ID = v.app.ID, v.stale != "", v.trace.id
	finish := func() {
		p.traces.end(v.trace, &r)
		if r.Status != 0 { // 0: the client disconnected
			p.emit(event.Event{Kind: event.KindRequest, Request: &r})
		}
	}
	if !v.app.Structured.Load() {
		finish()
		return
	}
	go func() {
		late := time.NewTimer(recordsLimit)
		defer late.Stop()
		select {
		case <-v.trace.ended:
		case <-v.app.Exited:
		case <-late.C:
		}
		finish()
	}()
}

// requestID returns the ID of the request in the program's log: the client's if the
// runtime would accept it, otherwise a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(process.RequestIDHeader); id != process.OwnRequest && saneID.MatchString(id) {
		return id
	}
	return rand.Text()
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// RoundTrip sends the request to the version that admit returned.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	return forwardedFrom(r.Context()).app.Transport.RoundTrip(r)
}

func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "app"
	r.Out.Host = r.In.Host
	r.SetXForwarded() // set, not appended: the client may have sent the header
	v := forwardedFrom(r.In.Context())
	r.Out.Header.Set(process.RequestIDHeader, v.trace.id)
	if v.page {
		// The script can only be added to uncompressed pages, and not to a 304.
		r.Out.Header.Del("Accept-Encoding")
		r.Out.Header.Del("If-None-Match")
		r.Out.Header.Del("If-Modified-Since")
	}
}

func (p *Proxy) modify(res *http.Response) error {
	v := forwardedFrom(res.Request.Context())
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols:
		if conn, ok := res.Body.(io.ReadWriteCloser); ok && strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
			s := &webSocket{ReadWriteCloser: conn, set: &v.app.Streams}
			res.Body = s
			v.app.Streams.Add(s)
		}
		v.leave()
	case kind == "text/event-stream":
		s := &eventStream{ReadCloser: res.Body, set: &v.app.Streams}
		res.Body = s
		v.app.Streams.Add(s)
		v.leave()
	case v.page:
		inject(res, p.Version(v.app.ID))
	}
	return nil
}

// Version returns a name for a version by which pages recognise their own.
func (p *Proxy) Version(id int) string { return p.session + "-" + strconv.Itoa(id) }

// proxyError responds to a request whose version failed.
func (p *Proxy) proxyError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client disconnected
	}
	p.explain(w, r, http.StatusBadGateway, "the program did not respond: "+err.Error())
}

// unavailable responds to a request that no version can serve.
func (p *Proxy) unavailable(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	why, problem := p.down, p.problem
	p.mu.Unlock()
	if problem != nil {
		why = "the program does not build"
		if problem.Stage == event.StageStart {
			why = "the program does not start"
		}
		if len(problem.Errors) > 0 {
			why += ": " + problem.Errors[0].Place() + ": " + problem.Errors[0].Message
		}
	}
	w.Header().Set(BuildHeader, "failed")
	p.explain(w, r, http.StatusServiceUnavailable, why)
}

// explain responds with an error in the requested format. A page contains little more
// than the script, which shows the problem and reloads when it is fixed.
func (p *Proxy) explain(w http.ResponseWriter, r *http.Request, status int, why string) {
	w.Header().Set("Cache-Control", "no-store")
	if wantsPage(r) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<!doctype html><title>nexios dev</title><meta name=color-scheme content=\"light dark\">"+
			"<body style=\"font:16px system-ui;margin:3rem\"><p>%s</p><script src=%q></script>\n",
			html.EscapeString(why), ScriptPath+"?v="+p.Version(0))
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": why, "code": status}) // the client may have disconnected
}

// recorder records the status and size of a response.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status < 200 { // informational responses precede the final one
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Forwarded reports whether a request came through another proxy, such as a tunnel: the
// client may be anywhere.
func Forwarded(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
}

// LocalName reports whether host, from the Host header, is localhost or an IP address.
// Other names could be pointed here by their owner (DNS rebinding).
func LocalName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(name) != nil
}

// Note records a log line of a request in progress. It reports whether the line needs
// no further display.
func (p *Proxy) Note(l process.Line) bool { return p.traces.note(l) }
