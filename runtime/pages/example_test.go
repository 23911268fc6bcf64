package pages_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing/fstest"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/pages"
	"github.com/nexios-go/nexios/runtime/web"
)

// A page defines the blocks of its layout.
func Example() {
	site, err := pages.New(fstest.MapFS{
		"templates/layout.html": {Data: []byte(`<title>{{template "title" .}}</title>{{template "content" .}}`)},
		"templates/home.html":   {Data: []byte(`{{template "layout.html" .}}{{define "title"}}Home{{end}}{{define "content"}}<p>{{.name}}</p>{{end}}`)},
	}, "", pages.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	home := web.Handle("GET", "/", func(c *gin.Context) { site.Render(c, 200, "home.html", pages.Data{"name": "<Anna>"}) })
	app, err := web.New(web.Config{Env: web.Test}, slog.New(slog.DiscardHandler), web.Module{Name: "pages", Routes: []web.Route{home}})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 200 <title>Home</title><p>&lt;Anna&gt;</p>
}
