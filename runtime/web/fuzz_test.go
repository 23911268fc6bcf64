package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

// FuzzRequests sends arbitrary bodies and queries: each response is a success or a
// valid error, and never a 500.
func FuzzRequests(f *testing.F) {
	app, err := web.New(web.Config{Env: web.Test}, discard(), notes(), web.Module{Name: "all", Routes: []web.Route{
		web.Post("/all", func(_ *gin.Context, in struct {
			everything
			Body struct {
				ruled
				Notes web.Bulk[noteBody] `json:"notes" binding:"dive"`
				Any   any                `json:"any"`
				Raw   json.RawMessage    `json:"raw"`
				Maps  map[string]line    `json:"maps" binding:"dive"`
			}
		}) (web.None, error) {
			return web.None{}, nil
		}),
	}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []struct{ query, body string }{
		{"page=1&sort_by=x&id=1,2", `{"text":"abc","price":"1.20","tags":["ab","cd"],"day":"2026-01-31"}`},
		{"%zz&=&&a=%00", `{"notes":[{"title":"abc","lines":[{}]}],"maps":{"a":{"text":1}}}`},
		{"at=2026-01-02T03:04:05+02:00&price=1e999999", `{"raw":{"a":"\u0000"},"any":[[[1e400]]],"cost":null}`},
		{"key=x", `[[[[`}, {"", `{"price":1e1000000}`}, {"ratio=1e308", "nul"}, {"for=1h", `{"notes":{"items":[{"title":7}]}}`},
	} {
		f.Add(seed.query, seed.body)
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		for _, path := range []string{"/all", "/notes", "/bulk"} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", "application/json")
			w := serve(app, r)
			if w.Code >= 500 || w.Code < 200 {
				t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
			}
			if w.Code == http.StatusNoContent {
				continue
			}
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s: invalid JSON %s", path, w.Body)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/notes/"+url.PathEscape(query), nil)
		if w := serve(app, r); w.Code >= 500 {
			t.Fatalf("%s: status %d", r.URL, w.Code)
		}
	})
}
