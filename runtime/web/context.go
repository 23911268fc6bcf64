package web

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// requestContext carries the id of a request and is done at its deadline. Its timer
// starts at the first call of Done: most requests end before that.
type requestContext struct {
	context.Context           // of the connection
	id              [1]string // shared with the response header
	fromClient      bool      // the id came from the client
	module          string    // whose route serves the request; set before the guards run
	client          string    // result of ClientIP; empty before the first call
	app             *App

	mu       sync.Mutex
	deadline time.Time       // zero if none
	timed    context.Context // started by Done; nil before
	cancel   context.CancelFunc
	kept     []keptValue
	first    [1]keptValue // backing array of kept, to save an allocation
}

type keptValue struct{ key, value any }

// Keep stores value in the context of the request, where c.Value(key) and the Value
// method of every derived context find it. It is like c.Set, but cheaper and visible
// to code that has only the context. The key should have its own type. A later value
// for the same key replaces the earlier one.
func Keep(c *gin.Context, key, value any) {
	if r, ok := c.Request.Context().(*requestContext); ok {
		r.mu.Lock()
		if r.kept == nil {
			r.kept = r.first[:0]
		}
		r.kept = append(r.kept, keptValue{key, value})
		r.mu.Unlock()
		return
	}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), key, value))
}

// logAttrs returns the log attributes of the client, from the kept values that have a
// LogAttrs method.
func (r *requestContext) logAttrs() (attrs []slog.Attr) {
	r.mu.Lock()
	all := slices.Clone(r.kept)
	r.mu.Unlock()
	for _, k := range all {
		if v, ok := k.value.(interface{ LogAttrs() []slog.Attr }); ok {
			attrs = append(attrs, v.LogAttrs()...)
		}
	}
	return attrs
}

type requestKey struct{}

// ClientIP returns c.ClientIP(), which Gin derives from the connection and the
// headers of trusted proxies, and caches it for the request.
func ClientIP(c *gin.Context) string {
	r, ok := c.Request.Context().Value(requestKey{}).(*requestContext)
	if !ok {
		return c.ClientIP()
	}
	r.mu.Lock()
	client := r.client
	r.mu.Unlock()
	if client == "" {
		client = c.ClientIP() // reads a value from this context, so not under mu
		r.mu.Lock()
		r.client = client
		r.mu.Unlock()
	}
	return client
}

// Value implements context.Context.
func (r *requestContext) Value(key any) any {
	if key == (requestKey{}) {
		return r
	}
	r.mu.Lock()
	for _, k := range slices.Backward(r.kept) {
		if k.key == key {
			r.mu.Unlock()
			return k.value
		}
	}
	r.mu.Unlock()
	return r.current().Value(key)
}

// Deadline implements context.Context.
func (r *requestContext) Deadline() (time.Time, bool) {
	own := r.limit()
	if parents, ok := r.Context.Deadline(); ok && (own.IsZero() || parents.Before(own)) {
		return parents, true
	}
	return own, !own.IsZero()
}

// Done implements context.Context.
func (r *requestContext) Done() <-chan struct{} { return r.start().Done() }

// Err implements context.Context.
func (r *requestContext) Err() error {
	own := r.limit()
	if err := r.current().Err(); err != nil || own.IsZero() || time.Now().Before(own) {
		return err
	}
	return r.start().Err()
}

func (r *requestContext) limit() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.deadline
}

// start returns the context with the deadline, creating it on the first call.
func (r *requestContext) start() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timed == nil {
		if r.timed = r.Context; !r.deadline.IsZero() {
			r.timed, r.cancel = context.WithDeadline(r.Context, r.deadline)
		}
	}
	return r.timed
}

// current returns the context with the deadline, or its parent if it has not been
// started.
func (r *requestContext) current() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timed == nil {
		return r.Context
	}
	return r.timed
}

// end releases the timer, and prevents one from being started later.
func (r *requestContext) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel()
	} else if !r.deadline.IsZero() {
		r.deadline = time.Unix(0, 0)
	}
}
