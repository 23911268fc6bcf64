package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/zstd"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

func one(path string) web.Module {
	return web.Module{Name: "one", Routes: []web.Route{
		web.Get(path, func(*gin.Context, web.None) (note, error) { return note{1, "a"}, nil }),
	}}
}

func TestRequestIDs(t *testing.T) {
	client := webtest.New(t, web.Module{Name: "id", Routes: []web.Route{
		web.Get("/id", func(c *gin.Context, _ web.None) (string, error) { return web.RequestID(c.Request.Context()), nil }),
	}})
	for sent, kept := range map[string]bool{
		"abc-DEF_1.2": true, "": false, "a b": false, "a\nb": false, "ä": false, strings.Repeat("a", 129): false, strings.Repeat("a", 128): true,
	} {
		answer := client.With("X-Request-ID", sent).Get("/id")
		var inside string
		answer.Into(&inside)
		got := answer.Header("X-Request-ID")
		if got == "" || got != inside || (got == sent) != kept {
			t.Errorf("%q: header %q, handler %q", sent, got, inside)
		}
	}
	if a, b := client.Get("/id").Header("X-Request-ID"), client.Get("/id").Header("X-Request-ID"); a == b {
		t.Error("two requests have the same id")
	}
}

func TestClientRequestID(t *testing.T) {
	for _, tt := range []struct {
		sent    string
		proxies []string
		want    bool
	}{
		{"mine", nil, true},
		{"", nil, false},
		{"a b", nil, false},
		{"mine", []string{"127.0.0.1/32"}, false},
		{"mine", []string{"192.0.2.1"}, true},
	} {
		client := webtest.NewWith(t, web.Config{Env: web.Test, TrustedProxies: tt.proxies}, web.Module{Name: "id", Routes: []web.Route{
			web.Get("/id", func(c *gin.Context, _ web.None) (bool, error) { return web.ClientRequestID(c), nil }),
		}})
		var got bool
		if client.With("X-Request-ID", tt.sent).Get("/id").Into(&got); got != tt.want {
			t.Errorf("%q with proxies %v: %v", tt.sent, tt.proxies, got)
		}
	}
	if web.ClientRequestID(t.Context()) {
		t.Error("reported outside a request")
	}
}

func TestSecurityHeaders(t *testing.T) {
	client := webtest.New(t, notes())
	for _, path := range []string{"/notes", "/nothing", "/panic", "/notes?page=0", "/healthz"} {
		answer := client.Get(path)
		for name, want := range map[string]string{
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Strict-Transport-Security":    "",
		} {
			if got := answer.Header(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if policy := answer.Header("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy is %q", path, policy)
		}
	}
}

func TestForwardedHeadersRequireTrustedProxy(t *testing.T) {
	for _, tt := range []struct {
		proxies []string
		hsts    bool
		limited bool // the second request, which claims another client
	}{
		{nil, false, true},
		{[]string{"127.0.0.0/8"}, true, false}, // contains the test client
		{[]string{"198.51.100.1"}, false, true},
	} {
		client := webtest.NewWith(t, web.Config{Env: web.Test, TrustedProxies: tt.proxies, RateLimit: web.Rate{Limit: 1, Window: time.Minute}}, one("/api/one"))
		answer := client.With("X-Forwarded-Proto", "https").With("X-Forwarded-For", "203.0.113.1").Get("/api/one").Expect(200)
		if has := answer.Header("Strict-Transport-Security") != ""; has != tt.hsts {
			t.Errorf("proxies %v: HSTS is %v", tt.proxies, has)
		}
		if got := client.With("X-Forwarded-For", "203.0.113.2").Get("/api/one").Status == 429; got != tt.limited {
			t.Errorf("proxies %v: limited is %v", tt.proxies, got)
		}
	}
}

// The edge of some platforms appends its own address, which is the same for all
// clients.
func TestClientIPHeader(t *testing.T) {
	for _, tt := range []struct {
		proxies []string
		header  string
		limited bool // the second client
	}{
		{[]string{"127.0.0.0/8"}, "Fly-Client-IP", false},
		{[]string{"127.0.0.0/8"}, "", true},
		{[]string{"127.0.0.0/8"}, "CF-Connecting-IP", true}, // not sent by the proxy
		{nil, "Fly-Client-IP", true},
	} {
		client := webtest.NewWith(t, web.Config{
			Env: web.Test, TrustedProxies: tt.proxies, ClientIPHeader: tt.header, RateLimit: web.Rate{Limit: 1, Window: time.Minute},
		}, one("/api/one"))
		through := func(address string) int {
			return client.With("X-Forwarded-For", address+", 66.241.124.10").With("Fly-Client-IP", address).Get("/api/one").Status
		}
		if first, second := through("203.0.113.1"), through("203.0.113.2"); first != 200 || (second == 429) != tt.limited {
			t.Errorf("header %q, proxies %v: statuses %d and %d", tt.header, tt.proxies, first, second)
		}
	}
}

func TestCORS(t *testing.T) {
	const ours, theirs = "https://app.example.com", "https://evil.example.com"
	open := webtest.NewWith(t, web.Config{Env: web.Test, CORSOrigins: []string{ours}}, one("/one"))
	closed := webtest.New(t, one("/one"))
	for _, tt := range []struct {
		client          *webtest.Client
		origin, allowed string
	}{{open, ours, ours}, {open, theirs, ""}, {open, "null", ""}, {open, "", ""}, {closed, ours, ""}} {
		client := tt.client.With("Origin", tt.origin)
		if got := client.Get("/one").Expect(200).Header("Access-Control-Allow-Origin"); got != tt.allowed {
			t.Errorf("origin %q: Access-Control-Allow-Origin is %q", tt.origin, got)
		}
		preflight := client.With("Access-Control-Request-Method", "GET").Send(http.MethodOptions, "/one", nil).Expect(204)
		if got := preflight.Header("Access-Control-Allow-Methods") != ""; got != (tt.allowed != "") {
			t.Errorf("origin %q: preflight allowed: %v", tt.origin, got)
		}
	}
	exposed := open.With("Origin", ours).Get("/one").Header("Access-Control-Expose-Headers")
	for _, name := range []string{"Content-Disposition", "ETag", "Location", "Retry-After", "X-Request-ID"} {
		if !slices.Contains(strings.Split(exposed, ", "), name) {
			t.Errorf("%s is not exposed: %s", name, exposed)
		}
	}
	if !strings.Contains(open.Get("/one").Header("Vary"), "Origin") {
		t.Error("responses lack Vary: Origin")
	}
}

func TestRateLimit(t *testing.T) {
	client := webtest.NewWith(t, web.Config{Env: web.Test, RateLimit: web.Rate{Limit: 3, Window: time.Minute}}, one("/api/one"), one("/one"))
	for i := range 5 {
		answer := client.Get("/api/one")
		want, left := 200, max(2-i, 0)
		if i >= 3 {
			want = 429
		}
		answer.Expect(want)
		if got := answer.Header("RateLimit-Remaining"); got != string(rune('0'+left)) {
			t.Errorf("request %d: %s left", i, got)
		}
		if answer.Header("RateLimit-Limit") != "3" || answer.Header("RateLimit-Policy") != "3;w=60" || answer.Header("RateLimit-Reset") != "60" {
			t.Errorf("headers: %v", answer.Headers())
		}
		if retry := answer.Header("Retry-After"); (retry == "60") != (want == 429) {
			t.Errorf("Retry-After is %q", retry)
		}
	}
	client.Get("/api/nothing").Expect(429)
	client.Get("/one").Expect(200)
	client.Get("/healthz").Expect(200)
}

func TestETags(t *testing.T) {
	title := "a"
	client := webtest.New(t, web.Module{Name: "etag", Routes: []web.Route{
		web.Get("/note", func(*gin.Context, web.None) (note, error) { return note{1, title}, nil }),
		web.Get("/secret", func(c *gin.Context, _ web.None) (note, error) {
			c.Header("Cache-Control", "no-store")
			return note{}, nil
		}),
		web.Get("/own", func(c *gin.Context, _ web.None) (note, error) {
			c.Header("ETag", `"v1"`)
			return note{}, nil
		}),
		web.Post("/note", func(*gin.Context, web.None) (note, error) { return note{}, nil }),
	}})
	first := client.Get("/note").Expect(200)
	tag := first.Header("ETag")
	if !strings.HasPrefix(tag, `"`) || first.Header("Cache-Control") != "private, no-cache" {
		t.Errorf("headers: %v", first.Headers())
	}
	for given, want := range map[string]int{
		tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200,
	} {
		answer := client.With("If-None-Match", given).Get("/note").Expect(want)
		if want == 304 && (len(answer.Body()) > 0 || answer.Header("ETag") != tag || answer.Header("Content-Type") != "") {
			t.Errorf("304 with headers %v and body %s", answer.Headers(), answer.Body())
		}
	}
	title = "b"
	client.With("If-None-Match", tag).Get("/note").Expect(200)
	client.With("If-None-Match", `"v1"`).Get("/own").Expect(304)
	for _, answer := range []*webtest.Answer{client.Get("/secret"), client.Post("/note", nil), client.Get("/healthz")} {
		if got := answer.Header("ETag"); got != "" {
			t.Errorf("ETag is %q", got)
		}
	}
}

func TestCompression(t *testing.T) {
	long := strings.Repeat("nexios ", 1000)
	client := webtest.New(t, web.Module{Name: "compress", Routes: []web.Route{
		web.Get("/long", func(*gin.Context, web.None) (string, error) { return long, nil }),
		web.Get("/short", func(*gin.Context, web.None) (string, error) { return "short", nil }),
		web.Handle(http.MethodGet, "/image", func(c *gin.Context) { c.Data(200, "image/png", []byte(long)) }),
		web.Handle(http.MethodGet, "/encoded", func(c *gin.Context) {
			c.Header("Content-Encoding", "gzip")
			c.Data(200, "text/plain", []byte(long))
		}),
		web.Handle(http.MethodGet, "/pieces", func(c *gin.Context) {
			c.Header("ETag", `"strong"`)
			c.Header("Content-Type", "text/plain")
			for piece := range strings.SplitAfterSeq(long, " ") {
				_, _ = c.Writer.WriteString(piece)
			}
		}),
		web.Handle(http.MethodGet, "/stream", func(c *gin.Context) {
			c.Header("Content-Type", "text/plain")
			_, _ = c.Writer.WriteString("first ")
			c.Writer.Flush()
			_, _ = c.Writer.WriteString(long)
		}),
		web.Handle(http.MethodGet, "/empty", func(c *gin.Context) { c.Status(http.StatusOK) }),
	}})
	for _, tt := range []struct{ path, accept, coding string }{
		{"/long", "", ""},
		{"/long", "gzip, deflate, br, zstd", "zstd"},
		{"/long", "gzip, br", "br"},
		{"/long", "gzip", "gzip"},
		{"/long", "GZIP", "gzip"},
		{"/long", "gzip;q=1.0, br;q=0.5, zstd;q=0", "gzip"},
		{"/long", "*", "zstd"},
		{"/long", "zstd;q=0, *", "br"},
		{"/long", "identity", ""},
		{"/long", "identity;q=1, gzip;q=0.5", ""},
		{"/long", "gzip;q=0", ""},
		{"/long", "deflate", ""},
		{"/long", "gzip;q=x", ""},
		{"/short", "gzip", ""},
		{"/image", "gzip", ""},
		{"/pieces", "gzip", "gzip"},
		{"/stream", "gzip", ""},
		{"/empty", "gzip", ""},
	} {
		answer := client.With("Accept-Encoding", tt.accept).Get(tt.path).Expect(200)
		if got := answer.Header("Content-Encoding"); got != tt.coding {
			t.Errorf("%s for %q: Content-Encoding is %q", tt.path, tt.accept, got)
			continue
		}
		if plain, coded := client.Get(tt.path).Body(), decode(t, tt.coding, answer.Body()); !bytes.Equal(plain, coded) {
			t.Errorf("%s with %q: %d bytes, want %d", tt.path, tt.coding, len(coded), len(plain))
		}
		if vary := strings.Contains(answer.Header("Vary"), "Accept-Encoding"); vary != (tt.path != "/image" && tt.path != "/empty") {
			t.Errorf("%s: varies by encoding: %v", tt.path, vary)
		}
	}
	gzipped := client.With("Accept-Encoding", "gzip")
	if got := gzipped.Get("/encoded").Body(); string(got) != long {
		t.Error("an encoded response was encoded again")
	}
	// An encoded response has its own ETag, which the client can send back.
	if got := gzipped.Get("/pieces").Header("ETag"); got != `"strong-gzip"` {
		t.Errorf("ETag of the encoded response is %q", got)
	}
	for _, coding := range []string{"", "zstd", "br", "gzip"} {
		coded := client.With("Accept-Encoding", coding)
		tag := coded.Get("/long").Header("ETag")
		if again := coded.With("If-None-Match", tag).Get("/long").Expect(304); again.Header("ETag") != tag || !strings.Contains(again.Header("Vary"), "Accept-Encoding") {
			t.Errorf("304 for %s: headers %v", tag, again.Headers())
		}
		client.With("If-None-Match", tag).Get("/long").Expect(304)
	}
	if got := gzipped.Send(http.MethodHead, "/long", nil).Header("Content-Encoding"); got != "" {
		t.Errorf("HEAD has Content-Encoding %q", got)
	}
}

func decode(t *testing.T, coding string, body []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestAccessLog(t *testing.T) {
	var out bytes.Buffer
	config := web.Config{Env: web.Production}
	app, err := web.New(config, web.NewLogger(config, &out), notes())
	if err != nil {
		t.Fatal(err)
	}
	answer := serve(app, httptest.NewRequest(http.MethodGet, "/notes/7?token=hidden", nil))
	var record map[string]any
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatal(err, out.String())
	}
	for key, want := range map[string]any{"msg": "request", "method": "GET", "path": "/notes/7", "status": 422.0, "client": "192.0.2.1", "bytes": float64(answer.Body.Len())} {
		if record[key] != want {
			t.Errorf("unexpected %s %v in %s", key, record[key], out.String())
		}
	}
	if record["request_id"] == nil || strings.Contains(out.String(), "hidden") {
		t.Errorf("unexpected record: %s", out.String())
	}
	out.Reset()
	serve(app, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if out.Len() > 0 {
		t.Errorf("a probe is logged: %s", out.String())
	}
}

func TestGuardsAndMiddlewareRunInOrder(t *testing.T) {
	var order []string
	note := func(word string) gin.HandlerFunc { return func(*gin.Context) { order = append(order, word) } }
	guard := func(word string) web.Guard {
		return web.Guard{Name: word, Check: func(*gin.Context) error {
			order = append(order, word)
			return nil
		}}
	}
	client := webtest.New(t,
		web.Module{Name: "a", Use: []gin.HandlerFunc{note("use a")}},
		web.Module{Name: "b", Use: []gin.HandlerFunc{note("use b")}, Routes: []web.Route{
			web.Get("/x", func(*gin.Context, web.None) (int, error) { return 0, nil }).Guard(guard("first")).With(note("before")).Guard(guard("second")),
			web.Post("/x", func(*gin.Context, struct{ Body noteBody }) (int, error) { return 0, nil }).Guard(guard("first")),
		}}.Under("/v1").Under("/api"))
	client.Get("/api/v1/x").Expect(200)
	if got := strings.Join(order, ", "); got != "use a, use b, first, second, before" {
		t.Errorf("order: %s", got)
	}
}

// TestMiddlewareMayCollectErrors covers a Gin convention: an error collected beside a
// response is ignored, and without a response it becomes one.
func TestMiddlewareMayCollectErrors(t *testing.T) {
	client := webtest.New(t, web.Module{Name: "gin", Routes: []web.Route{
		web.Handle(http.MethodGet, "/collected", func(c *gin.Context) {
			_ = c.Error(io.ErrUnexpectedEOF)
			c.String(http.StatusOK, "fine")
		}),
		web.Handle(http.MethodGet, "/aborted", func(c *gin.Context) {
			_ = c.AbortWithError(http.StatusTeapot, io.ErrUnexpectedEOF)
		}),
		web.Handle(http.MethodGet, "/unanswered", func(c *gin.Context) { _ = c.Error(io.ErrUnexpectedEOF) }),
	}})
	if got := client.Get("/collected").Expect(200).Body(); string(got) != "fine" {
		t.Errorf("the response is %s", got)
	}
	client.Get("/aborted").Expect(http.StatusTeapot)
	client.Get("/unanswered").Expect(500)
}
