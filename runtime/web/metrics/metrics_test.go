package metrics_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/web/metrics"
	"github.com/nexios-go/nexios/runtime/webtest"
)

func things() web.Module {
	return web.Module{Name: "things", Routes: []web.Route{
		web.Get("/things/:id", func(_ *gin.Context, in struct {
			ID int64 `uri:"id" binding:"min=1"`
		}) (int64, error) {
			if in.ID == 2 {
				return 0, fault.Conflict("No")
			}
			return in.ID, nil
		}),
	}}
}

func admin(c *gin.Context) error {
	if c.GetHeader("Authorization") == "" {
		return fault.Unauthorized("Sign in first")
	}
	return nil
}

func TestMetricsBehindAGuard(t *testing.T) {
	client := webtest.New(t, metrics.Module("", nil, web.Guard{Name: "admin", Check: admin}), things())
	client.Get("/things/1").Expect(200)
	client.Get("/things/7").Expect(200)
	client.Get("/things/2").Expect(409)
	client.Get("/nothing").Expect(404)
	client.Send("BREW", "/things/1", nil).Expect(405)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline"} {
		client.Get(path).Expect(401)
		client.With("Authorization", "x").Get(path).Expect(200)
	}
	text := string(client.With("Authorization", "x").Get("/metrics").Body())
	for _, line := range []string{
		`http_request_duration_seconds_count{method="GET",route="/things/:id",status="200"} 2`,
		`http_request_duration_seconds_count{method="GET",route="/things/:id",status="409"} 1`,
		`http_request_duration_seconds_count{method="GET",route="none",status="404"} 1`,
		`http_request_duration_seconds_count{method="other",route="none",status="405"} 1`,
		"go_goroutines", "process_start_time_seconds", "http_requests_active 1",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("missing %s", line)
		}
	}
}

func TestMetricsAreOffByDefault(t *testing.T) {
	client := webtest.New(t, metrics.Module("", nil), things())
	client.Get("/metrics").Expect(404)
	client.Get("/debug/pprof/").Expect(404)
}

func TestMetricsOnTheirOwnAddress(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	module := metrics.Module(addr, nil)
	webtest.New(t, module).Get("/metrics").Expect(404)

	app, err := web.New(web.Config{Env: web.Test, Addr: "127.0.0.1:0"}, slog.New(slog.DiscardHandler), module)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Serve(ctx) }()
	var text string
	for deadline := time.Now().Add(5 * time.Second); text == "" && time.Now().Before(deadline); {
		if answer, err := http.Get("http://" + addr + "/metrics"); err == nil {
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			text = string(body)
		}
	}
	if !strings.Contains(text, "go_goroutines") {
		t.Errorf("metrics are %q", text)
	}
	// The owner of a name can point it at this machine, and use a browser here to
	// read the metrics.
	for _, path := range []string{"/metrics", "/debug/pprof/cmdline"} {
		for host, want := range map[string]int{"localhost:9100": 200, "[::1]": 200, "evil.example:9100": 403, "localhost.evil.example": 403} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s as %s: status %d, want %d", path, host, answer.StatusCode, want)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
