package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// App is an application ready to serve. Engine may be changed further before
// the first request.
type App struct {
	Engine  *gin.Engine
	Modules []Module
	Config  Config
	Log     *slog.Logger

	proxies  []netip.Prefix
	handler  http.Handler
	draining atomic.Bool
}

// defaultMaxBody is how many bytes a request's body may have when its route
// does not say, 1 MiB.
const defaultMaxBody = 1 << 20

// New mounts the modules in their order. It fails when a module could not be
// made, when two routes clash and when a route's input cannot be read.
func New(c Config, log *slog.Logger, modules ...Module) (*App, error) {
	gin.SetMode(gin.ReleaseMode) // Gin's mode is one for the process; the others print to the terminal
	proxies, err := prefixes(c.TrustedProxies)
	if err != nil {
		return nil, err
	}
	a := &App{Engine: gin.New(), Modules: modules, Config: c, Log: log, proxies: proxies}
	e := a.Engine
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // a path has one spelling
	e.ContextWithFallback = true    // a *gin.Context ends with its request
	if err := e.SetTrustedProxies(c.TrustedProxies); err != nil {
		return nil, err
	}
	e.Use(a.around)
	for _, m := range modules {
		if m.Err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, m.Err)
		}
		e.Use(m.Use...)
	}
	e.NoRoute(func(c *gin.Context) { Fail(c, noRoute()) })
	e.NoMethod(func(c *gin.Context) {
		Fail(c, &fault.Error{Status: http.StatusMethodNotAllowed, Message: "Method not allowed"})
	})
	rules := newRules()
	for _, m := range modules {
		for _, r := range m.Routes {
			r.Path = m.Prefix + r.Path
			if err := a.mount(r, rules); err != nil {
				return nil, fmt.Errorf("%s %s of %s: %w", r.Method, r.Path, m.Name, err)
			}
		}
	}
	a.handler = e
	return a, nil
}

// mount registers one route, and HEAD beside GET.
func (a *App) mount(r Route, rules *rules) (err error) {
	handler := r.handler
	if r.bind != nil {
		if handler, err = r.bind(r, rules); err != nil {
			return err
		}
	}
	chain := []gin.HandlerFunc{a.enter(r)}
	chain = append(chain, r.Before...)
	chain = append(chain, handler)
	// Gin panics on routes that clash.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	a.Engine.Handle(r.Method, r.Path, chain...)
	if r.Method == http.MethodGet {
		a.Engine.Handle(http.MethodHead, r.Path, chain...)
	}
	return nil
}

// enter begins every route: its guards, and the limit of its body.
func (a *App) enter(r Route) gin.HandlerFunc {
	limit := r.MaxBody
	if limit == 0 {
		limit = defaultMaxBody
	}
	return func(c *gin.Context) {
		for _, g := range r.Guards {
			if err := g.Check(c); err != nil {
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

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }
