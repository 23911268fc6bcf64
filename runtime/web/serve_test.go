package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// running is an application served on its own port.
type running struct {
	app  *web.App
	addr string
	stop context.CancelFunc
	done chan error
}

func run(t *testing.T, modules ...web.Module) running {
	t.Helper()
	return runWith(t, web.Config{Env: web.Test}, modules...)
}

func runWith(t *testing.T, c web.Config, modules ...web.Module) running {
	t.Helper()
	app, err := web.New(c, discard(), modules...)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := running{app, listener.Addr().String(), cancel, make(chan error, 1)}
	go func() { r.done <- app.ServeOn(ctx, listener) }()
	t.Cleanup(cancel)
	return r
}

func (r running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(15 * time.Second):
		t.Fatal("the server does not stop")
		return nil
	}
}

// get sends a request on a new connection.
func (r running) get(path string) (status int, body string, err error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	answer, err := client.Get("http://" + r.addr + path)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func TestServeDrains(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	var background, early atomic.Bool
	r := run(t, web.Module{
		Name: "slow",
		Routes: []web.Route{web.Get("/slow", func(*gin.Context, web.None) (string, error) {
			entered <- true
			<-release
			early.Store(background.Load())
			return "done", nil
		})},
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			background.Store(true)
			return ctx.Err()
		},
	})
	answer := make(chan string, 1)
	go func() {
		status, body, err := r.get("/slow")
		answer <- fmt.Sprint(status, body, err)
	}()
	<-entered
	r.stop()
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, _, err := r.get("/healthz"); err != nil {
			break // no more connections are accepted
		}
		if time.Now().After(deadline) {
			t.Fatal("connections are still accepted")
		}
	}
	if w := serve(r.app, httptest.NewRequest(http.MethodGet, "/readyz", nil)); w.Code != 503 {
		t.Errorf("/readyz while draining: status %d", w.Code)
	}
	release <- true
	if got := <-answer; got != `200"done"<nil>` {
		t.Errorf("the request in progress got %s", got)
	}
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
	if !background.Load() || early.Load() {
		t.Error("the background work ended before the requests, or not at all")
	}
}

// After the shutdown signal /readyz fails, and requests are served until the delay is
// over.
func TestServeShutdownDelay(t *testing.T) {
	const delay = 700 * time.Millisecond
	r := runWith(t, web.Config{Env: web.Test, ShutdownDelay: delay}, web.Module{
		Name:   "one",
		Routes: []web.Route{web.Get("/one", func(*gin.Context, web.None) (string, error) { return "one", nil })},
	})
	if status, _, err := r.get("/readyz"); status != 200 || err != nil {
		t.Fatalf("/readyz: status %d, %v", status, err)
	}
	begin := time.Now()
	r.stop()
	unready := 0
	for time.Since(begin) < delay*3/4 {
		if status, _, err := r.get("/one"); status != 200 || err != nil {
			t.Fatalf("status %d after %s, %v", status, time.Since(begin), err)
		}
		if status, _, _ := r.get("/readyz"); status == 503 {
			unready++
		}
	}
	if unready == 0 {
		t.Error("/readyz never returned 503")
	}
	if err := r.wait(t); err != nil || time.Since(begin) < delay {
		t.Errorf("stopped after %s with %v", time.Since(begin), err)
	}
	if _, _, err := r.get("/one"); err == nil {
		t.Error("the server still listens")
	}
}

// A module that is out of space is reported as degraded.
func TestDegraded(t *testing.T) {
	err := fault.NoSpace(errors.New("full"))
	r := run(t, web.Module{Name: "disk", Ready: func(context.Context) error { return fmt.Errorf("wrapped: %w", err) }})
	status, body, _ := r.get("/readyz")
	if status != 200 || !strings.Contains(body, `"degraded"`) || !strings.Contains(body, `"disk"`) {
		t.Errorf("%d %s", status, body)
	}
}

// Probes are not rate limited: concurrent ones share one check of the modules, which
// is not cancelled when a client disconnects.
func TestConcurrentProbesShareOneCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		release := make(chan struct{})
		app, err := web.New(web.Config{Env: web.Test}, discard(), web.Module{Name: "store", Ready: func(ctx context.Context) error {
			asked.Add(1)
			<-release
			return ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		leaves, leave := context.WithCancel(t.Context())
		var probes sync.WaitGroup
		for range 20 {
			probes.Go(func() {
				if w := serve(app, httptest.NewRequestWithContext(leaves, http.MethodGet, "/readyz", nil)); w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		synctest.Wait()
		leave()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d concurrent checks", n)
		}
		close(release)
		probes.Wait()
		serve(app, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if n := asked.Load(); n != 2 {
			t.Errorf("%d checks after the next probe, want 2", n)
		}
	})
}

func TestServeFailsWithBackgroundWork(t *testing.T) {
	r := run(t, web.Module{Name: "worker", Run: func(context.Context) error { return errors.New("out of coffee") }})
	if err := r.wait(t); err == nil || err.Error() != "worker: out of coffee" {
		t.Errorf("stopped with %v", err)
	}
}

func TestReadiness(t *testing.T) {
	var broken atomic.Bool
	r := run(t, web.Module{Name: "db", Ready: func(context.Context) error {
		if broken.Load() {
			return errors.New("secret: no route to host")
		}
		return nil
	}})
	if status, _, err := r.get("/readyz"); status != 200 {
		t.Errorf("status %d, %v", status, err)
	}
	broken.Store(true)
	status, body, _ := r.get("/readyz")
	if status != 503 || !strings.Contains(body, `"field":"db"`) || strings.Contains(body, "secret") {
		t.Errorf("status %d: %s", status, body)
	}
	if status, _, _ := r.get("/healthz"); status != 200 {
		t.Errorf("/healthz: status %d", status)
	}
}

func TestServeOnUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	// Left behind by a process that was killed.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()

	for _, tt := range []struct {
		proxies []string
		header  string
		client  string
	}{
		{[]string{"127.0.0.1"}, "203.0.113.9", "203.0.113.9"},
		{[]string{"127.0.0.1"}, "198.51.100.1, 203.0.113.9", "203.0.113.9"}, // the first address was sent by the client
		{[]string{"10.0.0.0/8"}, "203.0.113.9", "127.0.0.1"},
		{nil, "203.0.113.9", "127.0.0.1"}, // no trusted proxy
		{nil, "", "127.0.0.1"},
		{[]string{"127.0.0.1"}, "nonsense", "127.0.0.1"}, // other headers are ignored
	} {
		config := web.Config{Env: web.Test, Addr: "unix:" + path, TrustedProxies: tt.proxies}
		app, err := web.New(config, discard(), web.Module{Name: "ip", Routes: []web.Route{
			web.Get("/ip", func(c *gin.Context, _ web.None) (string, error) { return c.ClientIP(), nil }),
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- app.Serve(ctx) }()
		client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}}
		var body []byte
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && body == nil; {
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://app/ip", nil)
			r.Header.Set("X-Forwarded-For", tt.header)
			r.Header.Set("X-Real-Ip", "203.0.113.7")
			if answer, err := client.Do(r); err == nil {
				body, _ = io.ReadAll(answer.Body)
				answer.Body.Close()
			}
		}
		if string(body) != `"`+tt.client+`"` {
			t.Errorf("proxies %v, header %q: client is %s", tt.proxies, tt.header, body)
		}
		client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestServeReportsListenErrors(t *testing.T) {
	for _, addr := range []string{"192.0.2.1:8000", "unix:" + filepath.Join(t.TempDir(), "absent", "app.sock")} {
		app, err := web.New(web.Config{Env: web.Test, Addr: addr}, discard())
		if err != nil {
			t.Fatal(err)
		}
		if err := app.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "\n  try:   ADDR=") {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestServeReportsAddressInUse(t *testing.T) {
	r := run(t)
	app, err := web.New(web.Config{Env: web.Test, Addr: r.addr}, discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "is in use\n") || !strings.Contains(err.Error(), "try:") {
		t.Errorf("unexpected error: %v", err)
	}
}

// TestHostileConnections sends malformed and malicious requests, after each of which
// the server must still work.
func TestHostileConnections(t *testing.T) {
	r := run(t, notes())
	send := func(text string) string {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, text)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return strings.TrimSpace(line)
	}
	long := strings.Repeat("a", 80<<10)
	for name, tt := range map[string]struct{ text, want string }{
		"many headers":        {"GET /notes HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Y: zzzzzzzzzzzzzzzzzzzz\r\n", 10000) + "\r\n", "HTTP/1.1 431"},
		"a long header":       {"GET /notes HTTP/1.1\r\nHost: x\r\nX-Y: " + long + "\r\n\r\n", "HTTP/1.1 431"},
		"no host":             {"GET /notes HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		"two lengths":         {"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 400"},
		"length and chunks":   {"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "HTTP/1.1 4"},
		"chunks without end":  {"POST /small HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10\r\n                \r\n", 100), "HTTP/1.1 413"},
		"a wrong length":      {"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{}", "HTTP/1.1 413"},
		"another protocol":    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400"},
		"an odd method":       {"BREW /notes HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405"},
		"an encoded path":     {"GET /%2e%2e/%00/\xff HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
		"a path that climbs":  {"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
		"a path with a query": {"GET /notes?" + strings.Repeat("page=1&", 5000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 422"},
	} {
		if got := send(tt.text); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if status, _, err := r.get("/notes"); status != 200 {
			t.Fatalf("after %s: status %d, %v", name, status, err)
		}
	}
}

// TestSlowBodiesAreCut sends an incomplete body to a route with a short deadline.
func TestSlowBodiesAreCut(t *testing.T) {
	r := run(t, web.Module{Name: "slow", Routes: []web.Route{
		web.Post("/slow", func(*gin.Context, struct{ Body noteBody }) (int, error) { return 0, nil }).Within(300 * time.Millisecond),
	}})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	begin := time.Now()
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("the connection is not closed: %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(all) > 0 && !bytes.HasPrefix(all, []byte("HTTP/1.1 408")) {
		t.Errorf("unexpected response: %s", all)
	}
}

// TestRequestsHaveADeadline checks the deadlines of routes, on which request headers
// such as Upgrade have no influence.
func TestRequestsHaveADeadline(t *testing.T) {
	var left time.Duration
	handler := func(c *gin.Context) {
		left = 0
		if end, ok := c.Deadline(); ok {
			left = time.Until(end)
		}
	}
	route := func(path string) web.Route { return web.Handle(http.MethodGet, path, handler) }
	app, err := web.New(web.Config{Env: web.Test}, discard(), web.Module{Name: "deadline", Routes: []web.Route{
		route("/own").Within(5 * time.Minute),
		route("/none").Within(-1),
		route("/usual"),
		route("/socket").Returns(http.StatusSwitchingProtocols),
		route("/socket/own").Returns(http.StatusSwitchingProtocols).Within(5 * time.Minute),
	}})
	if err != nil {
		t.Fatal(err)
	}
	app.Engine.NoRoute(handler)
	for path, want := range map[string]time.Duration{
		"/own": 5 * time.Minute, "/none": 0, "/usual": 30 * time.Second, "/unknown": 30 * time.Second, "/socket": 0, "/socket/own": 5 * time.Minute,
	} {
		for _, upgrade := range []string{"", "websocket", "h2c"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Upgrade", upgrade)
			app.ServeHTTP(httptest.NewRecorder(), r)
			if left > want || left < want-5*time.Second {
				t.Errorf("%s with Upgrade %q: %v left", path, upgrade, left)
			}
		}
	}
}

// TestTruncatedResponseAbortsConnection panics after the response has been started.
func TestTruncatedResponseAbortsConnection(t *testing.T) {
	r := run(t, web.Module{Name: "half", Routes: []web.Route{
		web.Handle(http.MethodGet, "/half", func(c *gin.Context) {
			c.Header("Content-Type", "text/plain")
			_, _ = c.Writer.WriteString("half")
			c.Writer.Flush()
			panic("and no more")
		}),
		web.Handle(http.MethodGet, "/abort", func(*gin.Context) { panic(http.ErrAbortHandler) }),
	}})
	for _, path := range []string{"/half", "/abort"} {
		if status, body, err := r.get(path); err == nil {
			t.Errorf("%s: no error: %d %s", path, status, body)
		}
	}
}
