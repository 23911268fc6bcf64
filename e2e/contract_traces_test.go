package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestContractTraces: a caller's trace continues in the blog, its SQL statements and its
// log, and is exported at the latest when it stops. Without an endpoint the log does not
// mention traces.
func TestContractTraces(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	spans := map[string]string{} // trace by span name
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var batch collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &batch) != nil {
			http.Error(w, "no batch of spans", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range batch.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					spans[span.Name] = hex.EncodeToString(span.TraceId)
					if text := span.String(); strings.Contains(text, goodPassword) || strings.Contains(text, "anna@example.com") {
						t.Errorf("a span contains request data: %s", text)
					}
				}
			}
		}
	}))
	defer receiver.Close()
	s := guideServer(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "LOG_FORMAT=json")
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	s.client().with("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01").post(apiBase+"/users", registration("anna")).want(201)
	s.awaitLetter("anna@example.com", "Welcome")
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("exit status: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("not stopped within 10 s")
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"POST /api/v1/users", "INSERT users", "INSERT jobs"} {
		if spans[name] != trace {
			t.Errorf("%s is in the trace %q of %v", name, spans[name], spans)
		}
	}
	if job := spans["job mail.welcome"]; job == "" || job == trace {
		t.Errorf("the mail is in the trace %q of %v", job, spans)
	}
	s.logs(`"trace_id":"` + trace + `"`)
	if off := guideServer(t); strings.Contains(off.log.String(), "trace_id") {
		t.Error("the log mentions traces without an endpoint")
	}
}
