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
	// holdLimit is how long a request waits for a build before the last good
	// version answers it.
	holdLimit = 30 * time.Second
	// BuildHeader says on each answer that it does not come from the newest
	// source: "failed" or "building".
	BuildHeader = "X-Nexios-Build"
)

// Proxy owns the port. Requests go to the current version; while a newer one
// is on its way they wait.
type Proxy struct {
	session string // tells our versions from those of an earlier run
	emit    func(event.Event)
	Own     http.Handler // what is below ownPrefix, and /dev
	reverse *httputil.ReverseProxy
	traces  traces

	mu      sync.Mutex
	current *process.App  // nil before the first version, and after one that crashed
	gate    chan struct{} // closed when requests may go on; nil when they need not wait
	problem *event.Build  // why the newest source does not run, or nil
	down    string        // why there is no current version
}

// New makes a Proxy that has no version yet, and emits each request. session
// tells its versions from those of an earlier run.
func New(session string, emit func(event.Event)) *Proxy {
	p := &Proxy{session: session, emit: emit, gate: make(chan struct{}), traces: traces{open: map[string]*trace{}}}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      p,
		FlushInterval:  -1,
		ModifyResponse: p.modify,
		ErrorHandler:   p.broken,
		ErrorLog:       log.New(io.Discard, "", 0), // what matters goes through broken
	}
	return p
}

// Hold makes requests wait until release.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate == nil {
		p.gate = make(chan struct{})
	}
}

// Release lets waiting requests go on. problem is why the newest source is not
// what answers them, or nil.
func (p *Proxy) Release(problem *event.Build) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problem = problem
	p.open()
}

// open is called with the lock held.
func (p *Proxy) open() {
	if p.gate != nil {
		close(p.gate)
		p.gate = nil
	}
}

// Swap makes a the version that answers and returns the one before it, or nil.
func (p *Proxy) Swap(a *process.App) (before *process.App) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.current, p.problem, p.down = p.current, a, nil, ""
	p.open()
	return before
}

// Lose takes a off, which ended by itself, if it is still the current version.
func (p *Proxy) Lose(a *process.App, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == a {
		p.current, p.down = nil, why
	}
}

// Running is the current version, or nil.
func (p *Proxy) Running() *process.App {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// visit is one request at one version.
type visit struct {
	app   *process.App
	stale string // the value of buildHeader, or empty
	leave func() // ends the visit as far as draining is concerned; may be called twice
	page  bool
	trace *trace
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit { return ctx.Value(visitKey{}).(*visit) }

// errDown is a request that no version can answer.
var errDown = errors.New("the program is not running")

// enter waits for its turn and says which version answers.
func (p *Proxy) enter(ctx context.Context) (*visit, error) {
	limit := time.NewTimer(holdLimit)
	defer limit.Stop()
	patient := true
	for {
		p.mu.Lock()
		gate := p.gate
		if gate == nil || (!patient && p.current != nil) {
			defer p.mu.Unlock()
			if p.current == nil {
				return nil, errDown
			}
			v := &visit{app: p.current}
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
			patient = false
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ServeHTTP answers what is our own, and sends everything else to a version.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, ownPrefix) || r.URL.Path == "/dev" {
		p.Own.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/dev/") && Forwarded(r) {
		http.Error(w, "only on this machine", http.StatusForbidden) // the program would see only who forwards it
		return
	}
	arrived := time.Now()
	v, err := p.enter(r.Context())
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
	p.reverse.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
}

// report tells of an answered request; v is nil when no version answered it.
// The program's last record of it comes a moment after the answer.
func (p *Proxy) report(v *visit, r event.Request) {
	if v == nil {
		p.emit(event.Event{Kind: event.KindRequest, Request: &r})
		return
	}
	r.Build, r.Stale, r.ID = v.app.ID, v.stale != "", v.trace.id
	tell := func() {
		p.traces.end(v.trace, &r)
		if r.Status != 0 { // 0: the client left
			p.emit(event.Event{Kind: event.KindRequest, Request: &r})
		}
	}
	if !v.app.Structured.Load() {
		tell()
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
		tell()
	}()
}

// requestID is the id under which the program will know the request: the
// client's own if the runtime would take it, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(process.RequestIDHeader); id != process.OwnRequest && saneID.MatchString(id) {
		return id
	}
	return rand.Text()
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// RoundTrip sends the request to the version it was let in to.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	return visitOf(r.Context()).app.Transport.RoundTrip(r)
}

func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "app"
	r.Out.Host = r.In.Host
	r.SetXForwarded() // who connects here, whatever the request says of others
	v := visitOf(r.In.Context())
	r.Out.Header.Set(process.RequestIDHeader, v.trace.id)
	if v.page {
		// The script can only be added to plain text, and only to a page that
		// is sent.
		r.Out.Header.Del("Accept-Encoding")
		r.Out.Header.Del("If-None-Match")
		r.Out.Header.Del("If-Modified-Since")
	}
}

func (p *Proxy) modify(res *http.Response) error {
	v := visitOf(res.Request.Context())
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

// Version names a version so that a page knows whether it is its own.
func (p *Proxy) Version(id int) string { return p.session + "-" + strconv.Itoa(id) }

// broken answers a request whose version failed while it answered.
func (p *Proxy) broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client left
	}
	p.explain(w, r, http.StatusBadGateway, "the program did not respond: "+err.Error())
}

// unavailable answers a request that no version can.
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

// explain answers in the form that was asked for. A page holds no more than
// the script, which shows what is wrong and comes back when it is right.
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
	_ = json.NewEncoder(w).Encode(map[string]any{"error": why, "code": status}) // the client may have left
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status < 200 { // informational answers come before the real one
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

// Forwarded reports whether a request came through another proxy, such as a tunnel, so
// that who asks may be anywhere.
func Forwarded(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
}

// LocalName says whether host, as sent in the Host header, can only mean an
// address: a name could be made to point here by whoever owns it (DNS
// rebinding).
func LocalName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || net.ParseIP(name) != nil
}

// Note keeps what the program says of a request under way. It returns whether
// that is all that l is good for.
func (p *Proxy) Note(l process.Line) bool { return p.traces.note(l) }
