package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resources "go.opentelemetry.io/proto/otlp/resource/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Pauses between attempts to send a batch; the total time is limited by the timeout.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 5 * time.Second
)

// exporter sends batches of spans by OTLP/HTTP 1.x with protobuf bodies.
type exporter struct {
	settings
	log     *slog.Logger
	client  *http.Client
	failing atomic.Bool
}

func newExporter(s settings, log *slog.Logger) *exporter {
	return &exporter{settings: s, log: log, client: &http.Client{
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ExportSpans implements sdk.SpanExporter. A batch that cannot be sent within the
// timeout is dropped; the first failure is logged.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := proto.Marshal(batch(spans))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	err = e.send(ctx, body)
	switch {
	case err != nil && e.failing.CompareAndSwap(false, true):
		e.log.Warn("traces cannot be sent", "error", err)
	case err == nil && e.failing.CompareAndSwap(true, false):
		e.log.Info("traces are being sent again")
	}
	return nil // the SDK would write it to standard error
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// send retries until the receiver has accepted the body, has rejected it permanently,
// or ctx is done.
func (e *exporter) send(ctx context.Context, body []byte) error {
	if e.gzip {
		var small bytes.Buffer
		w := gzip.NewWriter(&small)
		_, _ = w.Write(body) // a buffer never fails
		_ = w.Close()
		body = small.Bytes()
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		wait, err := e.try(ctx, body)
		if err == nil || wait < 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(wait, pause)):
		}
	}
}

// try sends the body once. If a retry may succeed, wait is not negative: the time
// requested by the receiver.
func (e *exporter) try(ctx context.Context, body []byte) (wait time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.address, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	r.Header = e.header.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	if e.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection is reused
	switch answer.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return time.Duration(max(seconds, 0)) * time.Second, errors.New(answer.Status)
	}
	return -1, fmt.Errorf("the collector answered %s", answer.Status)
}

// batch returns the message, which is encoded like an ExportTraceServiceRequest; the
// package of that would link gRPC.
func batch(spans []sdk.ReadOnlySpan) *wire.TracesData {
	var all wire.ResourceSpans
	scopes := map[instrumentation.Scope]*wire.ScopeSpans{}
	for _, s := range spans {
		if all.Resource == nil { // one provider has one resource
			all.Resource = &resources.Resource{Attributes: attributes(s.Resource().Attributes())}
			all.SchemaUrl = s.Resource().SchemaURL()
		}
		by := s.InstrumentationScope()
		if scopes[by] == nil {
			scopes[by] = &wire.ScopeSpans{Scope: &common.InstrumentationScope{Name: by.Name, Version: by.Version}, SchemaUrl: by.SchemaURL}
			all.ScopeSpans = append(all.ScopeSpans, scopes[by])
		}
		scopes[by].Spans = append(scopes[by].Spans, span(s))
	}
	return &wire.TracesData{ResourceSpans: []*wire.ResourceSpans{&all}}
}

func span(s sdk.ReadOnlySpan) *wire.Span {
	own, traceID, id := s.SpanContext(), s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &wire.Span{
		TraceId: traceID[:], SpanId: id[:], TraceState: own.TraceState().String(), Flags: flags(own, s.Parent()),
		Name: s.Name(), Kind: wire.Span_SpanKind(s.SpanKind()), // same numbers
		StartTimeUnixNano: nanos(s.StartTime()), EndTimeUnixNano: nanos(s.EndTime()),
		Attributes: attributes(s.Attributes()), DroppedAttributesCount: count(s.DroppedAttributes()),
		DroppedEventsCount: count(s.DroppedEvents()), DroppedLinksCount: count(s.DroppedLinks()),
		Status: &wire.Status{Message: s.Status().Description},
	}
	if parent := s.Parent().SpanID(); parent.IsValid() {
		out.ParentSpanId = parent[:]
	}
	switch s.Status().Code {
	case codes.Ok:
		out.Status.Code = wire.Status_STATUS_CODE_OK
	case codes.Error:
		out.Status.Code = wire.Status_STATUS_CODE_ERROR
	}
	for _, e := range s.Events() {
		out.Events = append(out.Events, &wire.Span_Event{
			TimeUnixNano: nanos(e.Time), Name: e.Name, Attributes: attributes(e.Attributes), DroppedAttributesCount: count(e.DroppedAttributeCount),
		})
	}
	for _, l := range s.Links() {
		traceID, id := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		out.Links = append(out.Links, &wire.Span_Link{
			TraceId: traceID[:], SpanId: id[:], TraceState: l.SpanContext.TraceState().String(), Flags: flags(l.SpanContext, l.SpanContext),
			Attributes: attributes(l.Attributes), DroppedAttributesCount: count(l.DroppedAttributeCount),
		})
	}
	return out
}

// flags returns the flags of the span and whether its parent is remote.
func flags(own, parent trace.SpanContext) uint32 {
	f := uint32(own.TraceFlags()) | uint32(wire.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if parent.IsRemote() {
		f |= uint32(wire.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	return f
}

func nanos(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) } // #nosec G115 -- not negative

func count(n int) uint32 { return uint32(max(n, 0)) } // #nosec G115 -- small

func attributes(list []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, len(list))
	for i, a := range list {
		out[i] = &common.KeyValue{Key: string(a.Key), Value: value(a.Value)}
	}
	return out
}

func value(v attribute.Value) *common.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	case attribute.STRING:
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v.AsString()}}
	case attribute.BOOLSLICE:
		return array(v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		return array(v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return array(v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		return array(v.AsStringSlice(), attribute.StringValue)
	}
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v.String()}}
}

func array[T any](list []T, of func(T) attribute.Value) *common.AnyValue {
	out := &common.ArrayValue{}
	for _, item := range list {
		out.Values = append(out.Values, value(of(item)))
	}
	return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: out}}
}
