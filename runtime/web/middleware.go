package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// requestTimeout is the time limit of a request unless its route sets its own.
const requestTimeout = 30 * time.Second

// statusGone is the status logged for a request whose client disconnected, as in
// nginx.
const statusGone = 499

// middleware is the outermost middleware of every request: it sets the request ID and
// the deadline, turns a panic into an error, and writes the error response and the
// log line.
func (a *App) middleware(c *gin.Context) {
	start := time.Now()
	id := c.Request.Header.Get(requestIDHeader)
	given := validRequestID(id)
	if !given {
		id = rand.Text()
	}
	ctx := &requestContext{Context: c.Request.Context(), id: [1]string{id}, app: a, deadline: a.deadline(c, start)}
	ctx.fromClient = given && !a.proxied(c.Request)
	c.Writer.Header()[requestIDHeader] = ctx.id[:]
	if a.draining.Load() {
		c.Header("Connection", "close") // so that the next request goes to another replica
	}
	defer ctx.end()
	c.Request = c.Request.WithContext(ctx)
	defer a.finish(c, id, start)
	c.Next()
}

// deadline returns when a request that began at start must be done; zero if never.
func (a *App) deadline(c *gin.Context, start time.Time) time.Time {
	limit := requestTimeout
	if own, ok := a.deadlines[address{c.Request.Method, c.FullPath()}]; ok {
		limit = own
	}
	if limit < 0 {
		return time.Time{}
	}
	return start.Add(limit)
}

// finish runs after the handlers have returned or panicked.
func (a *App) finish(c *gin.Context, id string, start time.Time) {
	var f *fault.Error
	incomplete := false // the response was cut short
	var meta failed
	if last := c.Errors.Last(); last != nil {
		f = fault.From(last.Err)
		meta, incomplete = last.Meta.(failed)
	}
	if p := recover(); p != nil {
		//nolint:errorlint // net/http compares the very value
		if p == http.ErrAbortHandler {
			panic(p)
		}
		f, incomplete = fault.Internal(fmt.Errorf("panic: %v", p)), true
		a.Log.LogAttrs(c.Request.Context(), slog.LevelError, "panic", slog.Any("error", p), slog.String("stack", string(debug.Stack())))
	} else if f != nil && f.Status >= http.StatusInternalServerError && !clientGone(c, f) {
		attrs := []slog.Attr{slog.String("error", f.Error())}
		if meta.stack != "" {
			attrs = append(attrs, slog.String("stack", meta.stack))
		}
		a.Log.LogAttrs(c.Request.Context(), slog.LevelError, "request failed", attrs...)
	}
	written := c.Writer.Written()
	if f != nil && !written {
		writeError(c, f, a.Config.Debug)
		a.logRefusal(c, f)
	}
	a.access(c, f, id, start)
	if incomplete && written {
		// A truncated response must not look complete.
		panic(http.ErrAbortHandler)
	}
}

// logRefusal logs a security event for a request rejected because of its user, address
// or rate. Package auth logs rejected logins itself.
func (a *App) logRefusal(c *gin.Context, f *fault.Error) {
	event := ""
	switch f.Status {
	case http.StatusForbidden:
		event = "forbidden"
	case http.StatusTooManyRequests:
		event = "limited"
	default:
		return
	}
	ctx := c.Request.Context()
	attrs := []slog.Attr{
		slog.String("event", event), slog.String("reason", f.Message), slog.String("method", c.Request.Method),
		slog.String("path", c.Request.URL.Path), slog.String("address", ClientIP(c)),
	}
	if r, ok := ctx.Value(requestKey{}).(*requestContext); ok {
		attrs = append(attrs, r.logAttrs()...)
	}
	a.Log.LogAttrs(ctx, slog.LevelWarn, "security", attrs...)
}

// access logs a request, without its query string, which may hold secrets. Health and
// readiness probes are logged at level debug.
func (a *App) access(c *gin.Context, f *fault.Error, id string, start time.Time) {
	level, ctx, handler := slog.LevelInfo, c.Request.Context(), a.Log.Handler()
	if path := c.Request.URL.Path; path == healthPath || path == readyPath {
		level = slog.LevelDebug
	}
	if !handler.Enabled(ctx, level) {
		return
	}
	status := c.Writer.Status()
	if f != nil && clientGone(c, f) {
		status = statusGone
	}
	// Bypass the logger, which would look up the caller, and add all attributes
	// together, the id included: each later addition would grow the record.
	if h, ok := handler.(idHandler); ok {
		handler = h.Handler
	}
	now := time.Now()
	record := slog.NewRecord(now, level, "request", 0)
	record.AddAttrs(
		slog.String("method", c.Request.Method),
		slog.String("path", c.Request.URL.Path),
		slog.Int("status", status),
		slog.Int("bytes", max(c.Writer.Size(), 0)),
		slog.Duration("took", now.Sub(start)),
		slog.String("client", ClientIP(c)),
		slog.String("request_id", id),
	)
	record.AddAttrs(added(ctx)...)
	_ = handler.Handle(ctx, record)
}

// clientGone reports whether the error was caused by the client disconnecting.
func clientGone(c *gin.Context, f *fault.Error) bool {
	return errors.Is(f, context.Canceled) && errors.Is(c.Request.Context().Err(), context.Canceled)
}

const requestIDHeader = "X-Request-Id"

// RequestID returns the id of the request that ctx, a *gin.Context or a context
// derived from its request, belongs to. The response carries it in X-Request-ID and
// every log record in request_id.
func RequestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*requestContext); ok {
		return r.id[0]
	}
	return ""
}

// ClientRequestID reports whether [RequestID] was chosen by the client, rather than
// generated here or by a trusted proxy. A client can send the id of another request.
func ClientRequestID(ctx context.Context) bool {
	r, ok := ctx.Value(requestKey{}).(*requestContext)
	return ok && r.fromClient
}

// ModuleOf returns the name of the module whose route serves the request, for guards,
// or "" if there is none.
func ModuleOf(c *gin.Context) string {
	if r, ok := c.Request.Context().Value(requestKey{}).(*requestContext); ok {
		return r.module
	}
	return ""
}

// Modules returns the modules of the application that serves the request of ctx, a
// *gin.Context or a context derived from its request. Do not modify them. It returns
// nil outside a request.
func Modules(ctx context.Context) []Module {
	if r, ok := ctx.Value(requestKey{}).(*requestContext); ok && r.app != nil {
		return r.app.Modules
	}
	return nil
}

// validRequestID reports whether an id from a client or a proxy is safe to log.
func validRequestID(id string) bool {
	return id != "" && len(id) <= 128 && strings.IndexFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) < 0
}
