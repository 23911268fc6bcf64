package web

import (
	"context"
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes to w according to c: records of c.LogLevel
// and above, as text in development and as JSON otherwise, unless c.LogFormat is set.
// Records logged with a request's context include its request_id and the attributes
// of LogWith.
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

// LogWith returns a context whose log records include attrs.
func LogWith(ctx context.Context, attrs ...slog.Attr) context.Context {
	return context.WithValue(ctx, attrsKey{}, attrs)
}

// added returns the attributes set by LogWith.
func added(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	return attrs
}

// idHandler adds the request ID and the attributes of LogWith from a record's
// context.
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
