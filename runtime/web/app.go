package web

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/singleflight"

	"github.com/nexios-go/nexios/runtime/fault"
)

// App is an application ready to serve. Engine may be modified until the first
// request.
type App struct {
	Engine  *gin.Engine
	Modules []Module
	Config  Config
	Log     *slog.Logger

	proxies       []netip.Prefix
	deadlines     map[address]time.Duration           // of routes with their own deadline
	matches       map[address]func(*gin.Context) bool // report whether the path parameters are valid for the route
	preconditions preconditions
	handler       http.Handler
	roots         []string // of the API's paths
	draining      atomic.Bool
	readyChecks   singleflight.Group                                                  // concurrent readiness checks
	count         func(context.Context, netip.Addr, Rate) (int, time.Duration, error) // the last Module.Count; nil if none
}

// address is the method and path at which a route is mounted.
type address struct{ method, path string }

// defaultMaxBody is the size limit of a request body, in bytes, unless the route sets
// its own: 1 MiB.
const defaultMaxBody = 1 << 20

// New mounts the modules in order. It fails if a module has an Err, if two routes
// conflict or if the input of a route cannot be decoded from a request.
func New(c Config, log *slog.Logger, modules ...Module) (*App, error) {
	gin.SetMode(gin.ReleaseMode) // global; Gin's other modes print to the terminal
	proxies, err := prefixes(c.TrustedProxies)
	if err != nil {
		return nil, err
	}
	modules = slices.Clone(modules)
	for i, m := range modules {
		modules[i].Routes = slices.DeleteFunc(slices.Clone(m.Routes), func(r Route) bool { return r.Development && c.Env != Development })
	}
	a := &App{
		Engine: gin.New(), Modules: modules, Config: c, Log: withRequestID(log.Handler()),
		proxies: proxies, roots: Roots(modules), deadlines: make(map[address]time.Duration), matches: make(map[address]func(*gin.Context) bool),
		preconditions: preconditions{reads: make(map[string]gin.HandlerFunc)},
	}
	e := a.Engine
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // each path has one spelling
	e.ContextWithFallback = true    // a *gin.Context is done when its request is
	// The proxy overwrites this header. Any other could come from the client.
	e.RemoteIPHeaders = []string{cmp.Or(c.ClientIPHeader, "X-Forwarded-For")}
	if err := e.SetTrustedProxies(c.TrustedProxies); err != nil {
		return nil, err
	}
	e.Use(a.middleware, a.secure)
	if len(c.CORSOrigins) > 0 {
		e.Use(cors(c.CORSOrigins))
	}
	limiter := newLimiter(c.RateLimit, a.Log)
	limiter.roots = a.roots
	limiter.pages = newLimiter(Rate{min(c.RateLimit.Limit, math.MaxInt32/pageFactor) * pageFactor, c.RateLimit.Window}, a.Log)
	if c.RateLimit.Limit > 0 {
		e.Use(limiter.handle)
	}
	for _, m := range modules {
		if m.Err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, m.Err)
		}
		if m.Count != nil {
			limiter.shared, a.count = m.Count, m.Count
		}
		e.Use(m.Use...)
	}
	e.NoRoute(a.unmatched)
	e.NoMethod(a.unmatched)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		e.Handle(method, healthPath, a.health)
		e.Handle(method, readyPath, a.ready)
	}
	rules := newRules()
	for _, m := range modules {
		if m.Refused != nil {
			rules.refused = append(rules.refused, m.Refused)
		}
	}
	for _, m := range modules {
		for _, r := range m.Routes {
			r.Path = r.fullPath(m.Prefix)
			if err := a.mount(m, r, rules); err != nil {
				return nil, fmt.Errorf("%s %s of %s: %w", r.Method, r.Path, m.Name, err)
			}
		}
	}
	a.handler = newCompressor(e)
	return a, nil
}

// mount registers one route of a module, and HEAD along with GET.
func (a *App) mount(m Module, r Route, rules *rules) (err error) {
	bound := binding{r.handler, func(*gin.Context) bool { return true }}
	if r.bind != nil {
		if bound, err = r.bind(r, rules); err != nil {
			return err
		}
	}
	serve := bound.serve
	switch r.Method {
	case http.MethodGet:
		a.preconditions.reads[r.Path] = serve
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		serve = a.preconditions.wrap(r, bound)
	}
	chain := []gin.HandlerFunc{a.enter(m.Name, r, bound.matches)}
	deprecated, err := m.deprecated()
	if err != nil {
		return err
	}
	if deprecated != nil {
		chain = append([]gin.HandlerFunc{deprecated}, chain...)
	}
	chain = append(chain, r.Before...)
	chain = append(chain, a.matched(serve))
	// Gin panics on conflicting routes.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	methods := []string{r.Method}
	if r.Method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	for _, method := range methods {
		a.Engine.Handle(method, r.Path, chain...)
		own := address{method, r.Path}
		a.matches[own] = bound.matches
		switch {
		case r.Deadline != 0:
			a.deadlines[own] = r.Deadline
		case r.Success == http.StatusSwitchingProtocols:
			a.deadlines[own] = -1 // a WebSocket outlives any request
		}
	}
	return nil
}

// enter is the first handler of every route: it checks the guards and limits the
// body. A request whose path parameters are invalid gets 404, authenticated or not.
// They are checked here only if a guard fails; otherwise the binder checks them.
func (a *App) enter(module string, r Route, matches func(*gin.Context) bool) gin.HandlerFunc {
	limit := cmp.Or(r.MaxBody, defaultMaxBody)
	return func(c *gin.Context) {
		if r.Deadline != 0 {
			setDeadlines(c.Writer, r.Deadline)
		}
		if own, ok := c.Request.Context().Value(requestKey{}).(*requestContext); ok && len(r.Guards) > 0 {
			own.module = module
		}
		for _, g := range r.Guards {
			if err := g.Check(c); err != nil {
				if !matches(c) {
					a.unmatched(c)
					return
				}
				if fault.From(err).Status == http.StatusUnauthorized {
					discardBody(c.Request, limit)
				}
				Fail(c, err)
				return
			}
		}
		if c.Request.ContentLength > limit {
			Fail(c, tooLarge(limit))
			return
		}
		if c.Request.Body != nil && c.Request.Body != http.NoBody {
			c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		}
	}
}

// discardBody reads the body of a request whose token was rejected, up to the limit
// of the route. net/http closes the connection if much of the body is unread, which
// many clients report as a network failure, without reading that a new token would
// help. A client that sent Expect: 100-continue has not sent the body yet.
func discardBody(r *http.Request, limit int64) {
	// The length of a chunked body is -1.
	if r.Body != nil && r.ContentLength <= limit && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, limit)
	}
}

// setDeadlines replaces the read and write deadlines of the connection by those of
// the route. It ignores the error of writers without deadlines, as in tests.
func setDeadlines(w http.ResponseWriter, d time.Duration) {
	var end time.Time
	if d > 0 {
		end = time.Now().Add(d)
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(end)
	_ = control.SetWriteDeadline(end)
}

// ServeHTTP implements http.Handler.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }
