package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

func devModule() web.Module {
	panel := func(*gin.Context, web.None) (web.Panel, error) { return web.Panel{Title: "Things"}, nil }
	return web.Module{Name: "things", Routes: []web.Route{web.Get("/dev/things", panel).Dev()}}.Under("/api")
}

func TestDevRoutesAreMountedInDevelopmentOnly(t *testing.T) {
	for env, want := range map[string]int{web.Development: 200, web.Test: 404, web.Production: 404} {
		app, err := web.New(web.Config{Env: env}, discard(), devModule())
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "http://localhost/dev/things", nil)
		r.RemoteAddr = "127.0.0.1:1"
		if w := serve(app, r); w.Code != want {
			t.Errorf("%s: %d %s", env, w.Code, w.Body)
		}
		if listed := len(app.Modules[0].Routes) == 1; listed != (want == 200) {
			t.Errorf("%s: route listed: %v", env, listed)
		}
	}
}

func TestDevRoutesAcceptLocalRequestsOnly(t *testing.T) {
	app, err := web.New(web.Config{Env: web.Development, TrustedProxies: []string{"0.0.0.0/0"}}, discard(), devModule())
	if err != nil {
		t.Fatal(err)
	}
	for ask, want := range map[string]int{
		"127.0.0.1:1 localhost:8000":                        200,
		"127.0.0.1:1 127.0.0.1:8000 127.0.0.1":              200,
		"[::1]:1 [::1]:8000":                                200,
		"127.0.0.1:1 blog.localhost":                        200,
		"192.168.1.7:1 127.0.0.1:8000":                      403,
		"127.0.0.1:1 192.168.1.7:8000":                      403,
		"127.0.0.1:1 evil.example:8000":                     403,
		"127.0.0.1:1 localhost.evil.example":                403,
		"127.0.0.1:1 localhost:8000 192.168.1.7":            403,
		"127.0.0.1:1 localhost:8000 127.0.0.1, 192.168.1.7": 403,
		"192.168.1.7:1 localhost:8000 127.0.0.1":            403,
	} {
		parts := strings.SplitN(ask, " ", 3)
		r := httptest.NewRequest(http.MethodGet, "/dev/things", nil)
		r.RemoteAddr, r.Host = parts[0], parts[1]
		if len(parts) == 3 {
			r.Header.Set("X-Forwarded-For", parts[2])
		}
		if w := serve(app, r); w.Code != want {
			t.Errorf("%s: got %d, want %d", ask, w.Code, want)
		}
		r.Header.Set("Forwarded", "for=192.168.1.7") // RFC 7239
		if w := serve(app, r); w.Code != 403 {
			t.Errorf("%s, forwarded: got %d", ask, w.Code)
		}
	}
}
