package web

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

func TestLimiterWindows(t *testing.T) {
	l := newLimiter(Rate{2, time.Minute}, slog.New(slog.DiscardHandler))
	client, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	start := time.Unix(1000, 0)
	for _, tt := range []struct {
		client netip.Addr
		at     time.Duration
		left   int
		reset  time.Duration
	}{
		{client, 0, 1, time.Minute},
		{client, 10 * time.Second, 0, 50 * time.Second},
		{client, 20 * time.Second, -1, 40 * time.Second},
		{client, 59 * time.Second, -1, time.Second},
		{other, 59 * time.Second, 1, time.Minute},
		{client, time.Minute, 1, time.Minute},
	} {
		if left, reset := l.take(tt.client, start.Add(tt.at)); left != tt.left || reset != tt.reset {
			t.Errorf("%s after %s: %d left, reset in %s", tt.client, tt.at, left, reset)
		}
	}
}

// TestLimiterIsBounded checks the memory limit with many clients.
func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(Rate{2, time.Minute}, slog.New(slog.DiscardHandler))
	now := time.Now()
	for i := range 600_000 {
		l.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	count := 0
	for i := range l.shards {
		count += len(l.shards[i].clients)
	}
	if count > limiterShards*maxClients {
		t.Errorf("%d clients are remembered", count)
	}
}

func TestClientOf(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::", "": "invalid IP",
	} {
		if got := clientOf(ip).String(); got != want {
			t.Errorf("%q: client %s", ip, got)
		}
	}
}

// A slow shared count is suspended after some requests, and resumed when it is fast
// again.
func TestLimiterSuspendsSlowCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		l := newLimiter(Rate{1000, time.Minute}, slog.New(slog.DiscardHandler))
		l.shared = func(context.Context, netip.Addr, Rate) (int, time.Duration, error) {
			time.Sleep(took)
			return 1, time.Minute, nil
		}
		waited := func(requests int) time.Duration {
			begin := time.Now()
			for range requests {
				l.count(t.Context(), netip.Addr{})
			}
			return time.Since(begin)
		}
		if waited(100); l.probeAt.Load() != 0 {
			t.Error("a fast count was suspended")
		}
		took = 100 * time.Millisecond
		if got := waited(100); got != maxSlow*took {
			t.Errorf("100 requests waited %s", got)
		}
		time.Sleep(probeInterval)
		waited(1) // starts a probe in the background
		time.Sleep(time.Second)
		if waited(100) != 0 || l.probeAt.Load() == 0 {
			t.Error("a slow count was resumed")
		}
		took = 0
		time.Sleep(probeInterval)
		waited(1)
		synctest.Wait()
		if l.probeAt.Load() != 0 {
			t.Error("a fast count was not resumed")
		}
	})
}

// Everything expensive is limited, wherever it is mounted.
func TestLimitsCoverEverything(t *testing.T) {
	var log bytes.Buffer
	route := func(c *gin.Context, _ None) (bool, error) { return true, nil }
	a, err := New(Config{Env: Test, RateLimit: Rate{1, time.Minute}}, slog.New(slog.NewTextHandler(&log, nil)),
		Module{Name: "notes", Routes: []Route{Get("/notes", route)}}.Under("/v2/x"),
		Module{Name: "pages", Routes: []Route{Get("/", route), Post("/session/login", route), Get("/ws", route)}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, tt := range []struct {
		method, path, upgrade string
		passes                int
	}{
		{"GET", "/v2/x/notes", "", 1}, {"GET", "/v2/none", "", 1}, {"POST", "/session/login", "", 1}, {"GET", "/ws", "websocket", 1},
		{"GET", "/", "", 10}, {"GET", "/ws", "", 10}, {"GET", "/none", "", 10}, {"GET", "/healthz", "", 20},
	} {
		n++
		passed := 0
		for range 20 {
			r := httptest.NewRequest(tt.method, tt.path, nil)
			r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", n)
			if tt.upgrade != "" {
				r.Header.Set("Upgrade", tt.upgrade)
			}
			w := httptest.NewRecorder()
			if a.ServeHTTP(w, r); w.Code != http.StatusTooManyRequests {
				passed++
			}
		}
		if passed != tt.passes {
			t.Errorf("%s %s %s: %d requests passed, want %d", tt.method, tt.path, tt.upgrade, passed, tt.passes)
		}
	}
	if want := `msg=security event=limited reason="Too many requests" method=POST path=/session/login address=192.0.2.3`; strings.Count(log.String(), want) != 19 {
		t.Errorf("expected 19 log lines: %s\n%s", want, log.String())
	}
	if got := Roots([]Module{{Prefix: "/v2/x"}, {Prefix: "/v2"}, {}, {Prefix: "/admin"}}); !slices.Equal(got, []string{"/v2/", "/admin/"}) {
		t.Errorf("roots are %v", got)
	}
}

// LimitBy counts after the guards, regardless of the client's address, and the
// headers report the limit with the least remaining.
func TestLimitBy(t *testing.T) {
	route := func(c *gin.Context, _ None) (bool, error) { return true, nil }
	who := Guard{Name: "who", Check: func(c *gin.Context) error {
		if c.GetHeader("X-Who") == "stranger" {
			return fault.Forbidden("No")
		}
		return nil
	}}
	var shared []string
	for name, count := range map[string]func(context.Context, netip.Addr, Rate) (int, time.Duration, error){
		"local": nil,
		"shared": func(_ context.Context, client netip.Addr, r Rate) (int, time.Duration, error) {
			shared = append(shared, fmt.Sprint(client, r))
			return strings.Count(strings.Join(shared, "\n"), shared[len(shared)-1]), time.Minute, nil
		},
	} {
		limit := LimitBy(Rate{2, time.Minute}, func(c *gin.Context) string { return c.GetHeader("X-Who") })
		a, err := New(Config{Env: Test, RateLimit: Rate{50, time.Minute}}, slog.New(slog.DiscardHandler),
			Module{Name: "notes", Count: count, Routes: []Route{Get("/notes", route).Guard(who), Get("/more", route)}}.With(limit).Under("/api"),
			Module{Name: "open", Routes: []Route{Get("/open", route)}}.Under("/api"))
		if err != nil {
			t.Fatal(err)
		}
		for i, tt := range []struct {
			path, who string
			status    int
			left      string
		}{
			{"/api/notes", "ann", 200, "1"},
			{"/api/more", "ann", 200, "0"}, // one limit for all routes with the middleware
			{"/api/notes", "ann", 429, "0"},
			{"/api/open", "ann", 200, "49"},
			{"/api/notes", "bob", 200, "1"},
			{"/api/notes", "", 200, "49"},
			{"/api/notes", "stranger", 403, "49"},
		} {
			r := httptest.NewRequest("GET", tt.path, nil)
			r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", i+1)
			r.Header.Set("X-Who", tt.who)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if left := w.Header().Get("RateLimit-Remaining"); w.Code != tt.status || left != tt.left || (tt.status == 429) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("%s: %s of %q: status %d with %s left, want %d with %s", name, tt.path, tt.who, w.Code, left, tt.status, tt.left)
			}
		}
	}
}
