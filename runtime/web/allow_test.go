package web_test

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// TestAllow requests paths that match one route by pattern and another literally.
func TestAllow(t *testing.T) {
	t.Parallel()
	type named struct {
		Name string `uri:"name"`
	}
	show := func(*gin.Context, byID) (note, error) { return note{}, nil }
	text := func(*gin.Context, named) (note, error) { return note{}, nil }
	none := func(*gin.Context, web.None) (note, error) { return note{}, nil }
	client := webtest.New(t, web.Module{Name: "posts", Routes: []web.Route{
		web.Get("/posts", none),
		web.Get("/posts/:id", show),
		web.Patch("/posts/:id", show),
		web.Post("/posts/bulk", none),
		web.Get("/posts/:id/tags/:tag", show),
		web.Put("/posts/:id/tags/all", show),
		web.Get("/names/:name", text),
		web.Post("/names/all", none),
		web.Get("/rest/*path", none),
		web.Delete("/guarded/:id", show).Guard(web.Guard{Name: "nobody", Check: func(*gin.Context) error { return http.ErrNoCookie }}),
		web.Get("/guarded/me", none),
	}})
	for path, want := range map[string]string{
		"/posts":             "GET, HEAD",
		"/posts/1":           "GET, HEAD, PATCH",
		"/posts/bulk":        "POST",
		"/posts/abc":         "",
		"/posts/0":           "",
		"/posts/1/tags/all":  "GET, HEAD, PUT",
		"/posts/1/tags/x":    "GET, HEAD",
		"/posts/x/tags/all":  "",
		"/posts/1/tags":      "",
		"/posts/1/tags/x/y":  "",
		"/names/all":         "GET, HEAD, POST",
		"/names/some":        "GET, HEAD",
		"/names/":            "",
		"/rest/":             "GET, HEAD",
		"/rest/a/b":          "GET, HEAD",
		"/guarded/1":         "DELETE",
		"/guarded/me":        "GET, HEAD",
		"/nothing/of/a/kind": "",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, "TRACE", "BREW"} {
			answer := client.Send(method, path, nil)
			if answer.Status < 300 || answer.Status == http.StatusInternalServerError { // the guard's error
				continue
			}
			status := http.StatusMethodNotAllowed
			if want == "" {
				status = http.StatusNotFound
			}
			if got := answer.Header("Allow"); answer.Status != status || got != want {
				t.Errorf("%s %s: status %d, Allow %q, want %q", method, path, answer.Status, got, want)
			}
		}
		answer, status, allow := client.Send(http.MethodOptions, path, nil), http.StatusNoContent, want+", OPTIONS"
		if want == "" {
			status, allow = http.StatusNotFound, ""
		}
		if got := answer.Header("Allow"); answer.Status != status || got != allow {
			t.Errorf("OPTIONS %s: status %d, Allow %q, want %q", path, answer.Status, got, allow)
		}
	}
}
