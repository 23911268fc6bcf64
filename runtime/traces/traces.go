package traces

import (
	"context"
	"log/slog"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/web"
)

// scope is the name of the instrumentation scope.
const scope = "github.com/nexios-go/nexios/runtime/traces"

// untraced are the routes without spans.
var untraced = []string{"/healthz", "/readyz", "/metrics"}

// Module traces every request except those of probes and metrics, every job, and the
// statements of both on gdb. Middleware of the modules before it in the list runs
// outside the request's span. Call it before gdb is used. Failing to send spans is
// withTraceID when it begins and when it ends.
func Module(c Config, gdb *gorm.DB, log *slog.Logger) web.Module {
	m := web.Module{Name: "traces"}
	s, err := c.parse()
	if err != nil || s.address == "" {
		m.Err = err
		return m
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(newExporter(s, log)), sdk.WithSampler(s.sampler), sdk.WithResource(s.resource),
	)
	t := tracer{provider.Tracer(scope)}
	m.Err = gdb.Use(statements(t))
	m.Use = []gin.HandlerFunc{t.request}
	m.Around = t.work
	m.Stop = func(ctx context.Context) { _ = provider.Shutdown(ctx) } // the exporter logs errors
	return m
}

// Start starts a span as a child of that of ctx; it records nothing if traces are off.
// The caller ends it.
func Start(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	return tracerOf(ctx).Start(ctx, name, trace.WithAttributes(attrs...))
}

// tracerOf returns a tracer with the same exporter as the span of ctx.
func tracerOf(ctx context.Context) trace.Tracer {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(scope)
}

type tracer struct{ trace.Tracer }

// request is the middleware that creates the span of a request.
func (t tracer) request(c *gin.Context) {
	route, r := c.FullPath(), c.Request
	if slices.Contains(untraced, route) {
		return
	}
	method, name := r.Method, r.Method
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		method, name = "_OTHER", "HTTP" // so that clients cannot create names
	}
	if route != "" {
		name += " " + route
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method),
		attribute.String("http.route", route),
		attribute.String("url.path", r.URL.Path),
		attribute.String("client.address", web.ClientIP(c)),
		attribute.String("user_agent.original", r.UserAgent()),
	))
	c.Request = r.WithContext(withTraceID(ctx, span))
	status := http.StatusInternalServerError // in case of a panic
	defer func() {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}()
	c.Next()
	status = web.Status(c)
}

// work creates the span of background work, in a trace of its own.
func (t tracer) work(ctx context.Context, work web.Work) error {
	attrs := make([]attribute.KeyValue, 0, len(work.About))
	for _, a := range work.About {
		attrs = append(attrs, attribute.String(a.Key, a.Value.String()))
	}
	ctx, span := t.Start(ctx, work.Name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...))
	defer span.End()
	err := work.Do(withTraceID(ctx, span))
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "")
	}
	return err
}

// withTraceID adds the trace ID to the log records of ctx.
func withTraceID(ctx context.Context, span trace.Span) context.Context {
	return web.LogWith(ctx, slog.String("trace_id", span.SpanContext().TraceID().String()))
}

// Transport returns a round tripper that creates a span for each request to another
// service, as a child of that of the request's context, and propagates the trace to it.
// A nil base means http.DefaultTransport.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return transport{base}
}

type transport struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper. The span ends when the response header has
// been received.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := tracerOf(r.Context()).Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method),
		attribute.String("server.address", r.URL.Hostname()),
		attribute.String("url.full", r.URL.Scheme+"://"+r.URL.Host+r.URL.Path),
	))
	defer span.End()
	r = r.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "")
		return answer, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
	if answer.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	return answer, nil
}
