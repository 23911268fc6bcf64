package traces_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/traces"
	"github.com/nexios-go/nexios/runtime/web"
)

// receiver is an OTLP/HTTP server that decodes and records requests with
// OpenTelemetry's own types.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int // for the next requests; 200 if there are none
	requests []*http.Request
	batches  []*collector.ExportTraceServiceRequest
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{statuses: statuses}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
	if len(r.statuses) > 0 {
		status := r.statuses[0]
		r.statuses = r.statuses[1:]
		w.WriteHeader(status)
		return
	}
	body := io.Reader(q.Body)
	if q.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(q.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	text, err := io.ReadAll(body)
	batch := &collector.ExportTraceServiceRequest{}
	if err = errors.Join(err, proto.Unmarshal(text, batch)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if unknown := batch.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		http.Error(w, "unknown fields", http.StatusBadRequest)
		return
	}
	r.batches = append(r.batches, batch)
	w.Header().Set("Content-Type", "application/x-protobuf")
	answer, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
	_, _ = w.Write(answer)
}

// spans returns all spans received.
func (r *receiver) spans() (all []*wire.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.batches {
		for _, rs := range b.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				all = append(all, ss.Spans...)
			}
		}
	}
	return all
}

func (r *receiver) only(t *testing.T, name string) *wire.Span {
	t.Helper()
	var found *wire.Span
	var names []string
	for _, s := range r.spans() {
		names = append(names, s.Name)
		if s.Name == name {
			require.Nil(t, found, "two spans are named %s: %v", name, names)
			found = s
		}
	}
	require.NotNil(t, found, "no span is named %s: %v", name, names)
	return found
}

func attributesOf(list []*common.KeyValue) map[string]any {
	all := map[string]any{}
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			all[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.Key] = v.IntValue
		default:
			all[a.Key] = v
		}
	}
	return all
}

type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// records returns the records with the message.
func (l *log) records(t *testing.T, message string) (all []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		var r map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		if r["msg"] == message {
			all = append(all, r)
		}
	}
	return all
}

type thing struct {
	ID     int64
	Secret string
}

// fixture is an application being served, with jobs on a real database.
type fixture struct {
	url  string
	log  *log
	ran  chan string // trace of a job, from its log
	stop func()      // stops it like SIGTERM, and waits
}

func serve(t *testing.T, c traces.Config, elsewhere string) fixture {
	t.Helper()
	w := fixture{log: &log{}, ran: make(chan string, 1)}
	config := web.Config{Env: web.Test}
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	app0, err := web.New(config, logger) // its log has the request's ID
	require.NoError(t, err)
	logger = app0.Log
	gdb, err := db.Open("sqlite::memory:", db.Options{Log: logger})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close(gdb) })
	_, err = db.Migrate(t.Context(), gdb, append(jobs.Migrations(), db.Migration{
		ID:   "20260101000000_create_things",
		Up:   func(tx *gorm.DB) error { return tx.Migrator().CreateTable(&thing{}) },
		Down: func(tx *gorm.DB) error { return tx.Migrator().DropTable(&thing{}) },
	}))
	require.NoError(t, err)
	queue := jobs.New(gdb, logger)
	jobs.Handle(queue, "test.greet", func(ctx context.Context, who string) error {
		logger.InfoContext(ctx, "greeting")
		if err := gdb.WithContext(ctx).Model(&thing{}).Where("secret = ?", who).Update("secret", "x").Error; err != nil {
			return err
		}
		return jobs.Permanent(errors.New("no greeting for " + who))
	})
	client := http.Client{Transport: traces.Transport(nil)}
	routes := web.Module{Name: "things", Routes: []web.Route{
		web.Post("/things/:id", func(c *gin.Context, in struct {
			ID    int64  `uri:"id"`
			Token string `form:"token"`
		}) (thing, error) {
			row := thing{ID: in.ID, Secret: "hunter2"}
			if err := gdb.WithContext(c).Create(&row).Error; err != nil {
				return row, err
			}
			if _, err := db.Find[thing](gdb.WithContext(c), in.ID); err != nil {
				return row, err
			}
			logger.InfoContext(c, "created")
			ctx, span := traces.Start(c, "ask elsewhere")
			defer span.End()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, elsewhere+"/far?token=hunter2", nil)
			if err != nil {
				return row, err
			}
			answer, err := client.Do(r)
			if err != nil {
				return row, err
			}
			return row, errors.Join(answer.Body.Close(), jobs.Enqueue(gdb.WithContext(c), "test.greet", "hunter2"))
		}),
		web.Get("/panic", func(*gin.Context, web.None) (string, error) { panic("hunter2") }),
	}}
	app, err := web.New(config, logger, jobs.Module(queue), traces.Module(c, gdb, logger), routes)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.url = "http://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.ServeOn(ctx, listener) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(15 * time.Second):
			t.Error("the application did not stop")
		}
	})
	t.Cleanup(w.stop)
	return w
}

func (w fixture) request(t *testing.T, method, path string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// TestRequestIsTraced traces a request from its caller through statements, another
// service and the log, and its job in a trace of its own; all spans are sent when the
// program stops.
func TestRequestIsTraced(t *testing.T) {
	t.Parallel()
	far := make(chan http.Header, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { far <- r.Header }))
	defer elsewhere.Close()
	to := newReceiver(t, http.StatusServiceUnavailable) // on the first attempt; it is retried
	w := serve(t, traces.Config{
		Env: "production", Endpoint: to.URL + "/", Headers: "api-key=a%20b,x=y", Compression: "gzip", Service: "shop", Resource: "service.version=1.2",
	}, elsewhere.URL)

	const traceID, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	require.Equal(t, 201, w.request(t, "POST", "/things/7?token=hunter2", "Traceparent", "00-"+traceID+"-"+parent+"-01", "Tracestate", "a=b"))
	require.Equal(t, 500, w.request(t, "GET", "/panic", "Upgrade", "websocket")) // the header must not suppress the span
	require.Equal(t, 404, w.request(t, "GET", "/nothing/hunter3"))
	require.Equal(t, 405, w.request(t, "SHOUT", "/panic"))
	require.Equal(t, 200, w.request(t, "GET", "/healthz"))
	require.Eventually(t, func() bool { return len(w.log.records(t, "job is dead")) == 1 }, 15*time.Second, 10*time.Millisecond)
	begin := time.Now()
	w.stop()
	require.Less(t, time.Since(begin), 5*time.Second)

	request := to.only(t, "POST /things/:id")
	require.Equal(t, traceID, hex.EncodeToString(request.TraceId))
	require.Equal(t, parent, hex.EncodeToString(request.ParentSpanId))
	require.Equal(t, "a=b", request.TraceState)
	require.Equal(t, wire.Span_SPAN_KIND_SERVER, request.Kind)
	require.Equal(t, wire.Status_STATUS_CODE_UNSET, request.Status.Code)
	require.Greater(t, request.EndTimeUnixNano, request.StartTimeUnixNano)
	attrs := attributesOf(request.Attributes)
	require.Equal(t, []any{"POST", "/things/:id", "/things/7", int64(201), "127.0.0.1"},
		[]any{attrs["http.request.method"], attrs["http.route"], attrs["url.path"], attrs["http.response.status_code"], attrs["client.address"]})

	for _, name := range []string{"INSERT things", "SELECT things", "INSERT jobs", "ask elsewhere"} {
		inner := to.only(t, name)
		require.Equal(t, request.TraceId, inner.TraceId, name)
		require.Equal(t, request.SpanId, inner.ParentSpanId, name)
		require.GreaterOrEqual(t, inner.StartTimeUnixNano, request.StartTimeUnixNano, name)
		require.LessOrEqual(t, inner.EndTimeUnixNano, request.EndTimeUnixNano, name)
	}
	insert := attributesOf(to.only(t, "INSERT things").Attributes)
	require.Equal(t, []any{"sqlite", "things", "INSERT"}, []any{insert["db.system.name"], insert["db.collection.name"], insert["db.operation.name"]})
	require.Contains(t, insert["db.query.text"], "VALUES (?,")

	// The other service receives the span of the outgoing request.
	var asking *wire.Span
	for _, s := range to.spans() {
		if s.Kind == wire.Span_SPAN_KIND_CLIENT && attributesOf(s.Attributes)["url.full"] == elsewhere.URL+"/far" {
			asking = s
		}
	}
	require.NotNil(t, asking)
	require.Equal(t, "00-"+traceID+"-"+hex.EncodeToString(asking.SpanId)+"-01", (<-far).Get("Traceparent"))
	require.Equal(t, to.only(t, "ask elsewhere").SpanId, asking.ParentSpanId)

	job := to.only(t, "job test.greet")
	require.Equal(t, wire.Span_SPAN_KIND_CONSUMER, job.Kind)
	require.Empty(t, job.ParentSpanId)
	require.Equal(t, wire.Status_STATUS_CODE_ERROR, job.Status.Code)
	require.Equal(t, "1", attributesOf(job.Attributes)["attempt"])
	require.Equal(t, job.SpanId, to.only(t, "UPDATE things").ParentSpanId)

	failed := to.only(t, "GET /panic")
	require.Equal(t, wire.Status_STATUS_CODE_ERROR, failed.Status.Code)
	require.Equal(t, int64(500), attributesOf(failed.Attributes)["http.response.status_code"])
	require.Equal(t, int64(405), attributesOf(to.only(t, "HTTP").Attributes)["http.response.status_code"])

	for _, s := range to.spans() {
		require.NotContains(t, s.Name, "health")
		require.NotContains(t, strings.ReplaceAll(s.String(), "no greeting for hunter2", ""), "hunter2", "values must not be recorded")
	}
	for message, id := range map[string][]byte{"created": request.TraceId, "greeting": job.TraceId, "job is dead": job.TraceId} {
		records := w.log.records(t, message)
		require.Len(t, records, 1)
		require.Equal(t, hex.EncodeToString(id), records[0]["trace_id"], message)
	}
	require.Equal(t, traceID, w.log.records(t, "request")[0]["trace_id"])
	require.Empty(t, w.log.records(t, "traces cannot be sent"))

	sent := to.requests[len(to.requests)-1]
	require.Equal(t, []string{"/v1/traces", "a b", "y", "application/x-protobuf"},
		[]string{sent.URL.Path, sent.Header.Get("Api-Key"), sent.Header.Get("X"), sent.Header.Get("Content-Type")})
	resource := attributesOf(to.batches[0].ResourceSpans[0].Resource.Attributes)
	require.Equal(t, []any{"shop", "1.2", "production"}, []any{resource["service.name"], resource["service.version"], resource["deployment.environment.name"]})
}

// TestUnresponsiveReceiver checks that an unresponsive receiver delays neither requests
// nor shutdown.
func TestUnresponsiveReceiver(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections but never responds
	require.NoError(t, err)
	defer silent.Close()
	w := serve(t, traces.Config{Endpoint: "http://" + silent.Addr().String(), Timeout: 60_000}, elsewhere.URL)
	begin := time.Now()
	require.Equal(t, 201, w.request(t, "POST", "/things/1"))
	require.Less(t, time.Since(begin), 2*time.Second)
	begin = time.Now()
	w.stop()
	require.Less(t, time.Since(begin), 8*time.Second)
}

// TestRejectedBatches checks that rejected batches are logged once.
func TestRejectedBatches(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	to := newReceiver(t, http.StatusUnauthorized)
	w := serve(t, traces.Config{TracesEndpoint: to.URL + "/own/path", Timeout: 5000}, elsewhere.URL)
	require.Equal(t, 201, w.request(t, "POST", "/things/1"))
	require.Eventually(t, func() bool { return len(w.log.records(t, "traces cannot be sent")) == 1 }, 15*time.Second, 20*time.Millisecond)
	require.Equal(t, "/own/path", to.requests[0].URL.Path)
	require.Equal(t, 500, w.request(t, "GET", "/panic", "Upgrade", "websocket")) // the header must not suppress the span
	w.stop()
	require.Len(t, w.log.records(t, "traces cannot be sent"), 1)
	require.Len(t, w.log.records(t, "traces are being sent again"), 1)
	to.only(t, "GET /panic")
}

// TestOff checks that nothing is installed.
func TestOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]traces.Config{
		"no endpoint": {}, "disabled": {Endpoint: "http://127.0.0.1:1", Disabled: true}, "no exporter": {Endpoint: "http://127.0.0.1:1", Exporter: "none"},
	} {
		gdb, err := db.Open("sqlite::memory:", db.Options{})
		require.NoError(t, err)
		m := traces.Module(c, gdb, slog.New(slog.DiscardHandler))
		require.NoError(t, m.Err, name)
		require.True(t, m.Use == nil && m.Around == nil && m.Stop == nil, name)
		require.NotContains(t, gdb.Plugins, "traces", name)
		ctx, span := traces.Start(t.Context(), "x")
		require.False(t, span.IsRecording())
		require.NotNil(t, ctx)
		require.NoError(t, db.Close(gdb))
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	for sampler, want := range map[string]int{"": 2, "always_off": 0, "parentbased_always_off": 1, "always_on": 2} {
		t.Run(sampler, func(t *testing.T) {
			t.Parallel()
			to := newReceiver(t)
			w := serve(t, traces.Config{Endpoint: to.URL, Sampler: sampler}, elsewhere.URL)
			w.request(t, "GET", "/panic")
			w.request(t, "GET", "/panic", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			w.stop()
			require.Len(t, to.spans(), want)
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]traces.Config{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        {Endpoint: "collector:4317"},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": {TracesEndpoint: "grpc://collector"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":        {Protocol: "grpc"},
		"OTEL_EXPORTER_OTLP_COMPRESSION":     {Compression: "zip"},
		"OTEL_EXPORTER_OTLP_HEADERS":         {Headers: "hunter2"},
		"OTEL_EXPORTER_OTLP_TIMEOUT":         {Timeout: -1},
		"OTEL_TRACES_EXPORTER":               {Exporter: "jaeger"},
		"OTEL_TRACES_SAMPLER":                {Sampler: "some"},
		"OTEL_TRACES_SAMPLER_ARG":            {Ratio: "2"},
		"OTEL_RESOURCE_ATTRIBUTES":           {Resource: "x"},
	} {
		err := c.Validate()
		require.ErrorContains(t, err, name+" ")
		require.ErrorContains(t, err, "try:   "+name+"=")
		require.NotContains(t, err.Error(), "hunter2")
		require.Error(t, traces.Module(c, nil, nil).Err)
	}
}
