// Package pages serves the HTML pages. Templates and static files are embedded in
// the binary; in development they are read from this directory whenever they change.
package pages

import (
	"embed"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/pages"
	"github.com/nexios-go/nexios/runtime/web"
)

const site = "{project}"

//go:embed templates static
var files embed.FS

type handler struct{ pages *pages.Pages }

// Module returns the routes of the pages. env is APP_ENV.
func Module(env string) web.Module {
	p, err := pages.New(files, "internal/pages", pages.Options{Env: env, Context: context})
	if err != nil {
		return web.Module{Name: "pages", Err: err}
	}
	h := handler{p}
	return web.Module{
		Name: "pages",
		Use:  []gin.HandlerFunc{p.Errors()},
		Routes: append(p.Routes(),
			web.Handle(http.MethodGet, "/", h.home).Doc("The home page").Hide(),
		),
	}
}

// context is what the templates get besides the page's own data.
func context(*gin.Context) map[string]any {
	return map[string]any{"site": site, "now": time.Now()}
}

type feature struct{ Name, Text string }

func (h handler) home(c *gin.Context) {
	h.pages.Render(c, http.StatusOK, "home.html", pages.Data{
		"summary": "One small binary that serves a JSON API and these pages, with nothing else to install.",
		"content": "This page is `templates/home.html`, inside `templates/layout.html`. " +
			"Both live in **internal/pages**: edit them while the program runs and reload the page.",
		"features": []feature{
			{"Typed routes", "A handler takes a struct and returns a value. The same types bind, validate, answer and **document**."},
			{"One place for errors", "Every error has the same shape: a status, a readable message, and `details` by field."},
			{"A database layer that keeps up", "Lists with filters, search and cursors, and reversible migrations."},
			{"Safe from the start", "Security headers, limits and timeouts are on before the first line is written."},
			{"Pages without a build step", "Layouts, partials and filters in plain HTML. Static files are fingerprinted and cached for good."},
			{"Observable", "Structured logs with request ids, health and readiness, and optional metrics."},
		},
	})
}
