package web

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// requestContext carries the id of a request, and ends at its deadline. The
// timer for that is started when somebody first waits for the end: most
// requests are done before anybody does.
type requestContext struct {
	context.Context           // of the connection
	id              [1]string // which the answer's header holds, too
	chosen          bool      // by the client
	module          string    // whose route serves it; set before the guards are asked
	client          string    // what ClientIP returns; empty before it is asked
	app             *App      // which serves it

	mu       sync.Mutex
	deadline time.Time       // zero for none
	timed    context.Context // what Done has started; nil before
	cancel   context.CancelFunc
	kept     []kept
	first    [1]kept // what kept begins with
}

type kept struct{ key, value any }

// Keep puts value into the context of the request, where c.Value(key) and the
// Value of every context made from the request's find it: what c.Set does,
// cheaper and for those who hold only the context. The key should have a type
// of its own. A later value of the same key counts.
func Keep(c *gin.Context, key, value any) {
	if r, ok := c.Request.Context().(*requestContext); ok {
		r.mu.Lock()
		if r.kept == nil {
			r.kept = r.first[:0]
		}
		r.kept = append(r.kept, kept{key, value})
		r.mu.Unlock()
		return
	}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), key, value))
}

// known is what the values that are kept say about who asks, by a method
// LogAttrs.
func (r *requestContext) known() (attrs []slog.Attr) {
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

// ClientIP is c.ClientIP(), Gin's reading of the address and the headers of
// trusted proxies, which is kept for whoever asks again.
func ClientIP(c *gin.Context) string {
	r, ok := c.Request.Context().Value(requestKey{}).(*requestContext)
	if !ok {
		return c.ClientIP()
	}
	r.mu.Lock()
	client := r.client
	r.mu.Unlock()
	if client == "" {
		client = c.ClientIP() // which asks this context for a value
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

// start returns the context that has the deadline.
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

// current returns the context that has the deadline, or while nobody waits for
// that its parent.
func (r *requestContext) current() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timed == nil {
		return r.Context
	}
	return r.timed
}

// end gives free what was started, and lets nothing start any more.
func (r *requestContext) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel()
	} else if !r.deadline.IsZero() {
		r.deadline = time.Unix(0, 0)
	}
}
