package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// TestDeprecated checks the headers of success and error responses of a deprecated
// module, whose Link is the same path in the next version. An invalid date is an
// error at startup.
func TestDeprecated(t *testing.T) {
	none := func(*gin.Context, web.None) (web.None, error) { return web.None{}, nil }
	m := web.Module{
		Name: "posts", Deprecated: web.Deprecation{Since: "2026-11-28", Sunset: "2027-05-28", Successor: "/api/v2"},
		Routes: []web.Route{
			web.Get("/posts/:id", none),
			web.Delete("/posts/:id", func(*gin.Context, web.None) (web.None, error) { return web.None{}, fault.Conflict("no") }),
			web.Post("/posts", none).Guard(web.Guard{Check: func(*gin.Context) error { return fault.Unauthorized("no") }}),
		},
	}.Under("/api/v1")
	app, err := web.New(web.Config{}, discard(), m, web.Module{Name: "other", Routes: []web.Route{web.Get("/other", none)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path, link string
		status             int
	}{
		{"GET", "/api/v1/posts/a%3E%0Ab?x=1", `</api/v2/posts/a%3E%0Ab>; rel="successor-version"`, http.StatusUnprocessableEntity},
		{"DELETE", "/api/v1/posts/1", `</api/v2/posts/1>; rel="successor-version"`, http.StatusConflict},
		{"POST", "/api/v1/posts", `</api/v2/posts>; rel="successor-version"`, http.StatusUnauthorized},
		{"GET", "/other", "", http.StatusNoContent},
	} {
		got := serve(app, httptest.NewRequest(c.method, c.path, nil))
		h := got.Header()
		since, sunset := "@1795824000", "Fri, 28 May 2027 00:00:00 GMT"
		if c.link == "" {
			since, sunset = "", ""
		}
		if got.Code != c.status || h.Get("Deprecation") != since || h.Get("Sunset") != sunset || h.Get("Link") != c.link {
			t.Errorf("%s %s: %d %v", c.method, c.path, got.Code, h)
		}
	}
	m.Deprecated.Sunset = "soon"
	if _, err := web.New(web.Config{}, discard(), m); err == nil {
		t.Error("an invalid date is accepted")
	}
}
