package openapi

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"path"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

//go:embed page
var page embed.FS

// docsPolicy lets the API reference load only what this program serves. Its style
// sheet embeds its images.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docs returns the routes of the API reference: Swagger UI, embedded in the binary.
// Scalar's reference (1.76) has better navigation, but takes 1.4 MB instead of 0.4,
// requires a policy that allows inline styles, and links to the vendor's services.
func docs(title string) []web.Route {
	var index bytes.Buffer
	err := template.Must(template.ParseFS(page, "page/index.html")).Execute(&index, title)
	sum := sha256.Sum256(index.Bytes())
	tag := fmt.Sprintf(`W/"%x"`, sum[:8])
	absent := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
	assets := http.StripPrefix("/docs/", statigz.FileServer(static.FS, statigz.OnNotFound(absent)))
	own := map[string]string{"start.js": "text/javascript; charset=utf-8", "start.css": "text/css; charset=utf-8"}
	return []web.Route{
		web.Handle(http.MethodGet, "/docs", func(c *gin.Context) {
			if err != nil {
				web.Fail(c, err)
				return
			}
			c.Header("Content-Security-Policy", docsPolicy)
			c.Header("Cache-Control", "no-cache")
			if !web.NotModified(c, tag) {
				c.Data(http.StatusOK, "text/html; charset=utf-8", index.Bytes())
			}
		}).Doc("API reference").Hide(),
		web.Handle(http.MethodGet, "/docs/*asset", func(c *gin.Context) {
			c.Header("Cache-Control", "max-age=3600")
			if kind, ok := own[path.Base(c.Request.URL.Path)]; ok {
				c.Header("Content-Type", kind)
				c.FileFromFS("page/"+path.Base(c.Request.URL.Path), http.FS(page))
				return
			}
			assets.ServeHTTP(c.Writer, c.Request)
			if c.Writer.Status() == http.StatusNotFound { // nothing has been written yet
				web.Fail(c, fault.NotFound("Not found"))
			}
		}).Doc("Assets of the API reference").Hide(),
	}
}
