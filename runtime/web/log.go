package web

import (
	"context"
	"io"
	"log/slog"
)

// NewLogger writes to w as the settings say: records from c.LogLevel on, as
// text in development and as JSON elsewhere unless c.LogFormat names one. A
// record made with a request's context has its request_id, and what LogWith
// has added.
func NewLogger(c Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" || c.LogFormat == "" && c.Env == Development {
		return withRequestID(slog.NewTextHandler(w, options))
	}
	return withRequestID(slog.NewJSONHandler(w, options))
}

func withRequestID(h slog.Handler) *slog.Logger {
	if _, has := h.(idHandler); has {
		return slog.New(h)
	}
	return slog.New(idHandler{h})
}

type attrsKey struct{}

// LogWith returns a context whose log records have attrs.
func LogWith(ctx context.Context, attrs ...slog.Attr) context.Context {
	return context.WithValue(ctx, attrsKey{}, attrs)
}

// added are the attributes of LogWith.
func added(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	return attrs
}

// idHandler adds the id of the request that a record's context belongs to, and
// what LogWith has put there.
type idHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h idHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	r.AddAttrs(added(ctx)...)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h idHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return idHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h idHandler) WithGroup(name string) slog.Handler {
	return idHandler{h.Handler.WithGroup(name)}
}
