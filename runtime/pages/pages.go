package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// Policy is the Content-Security-Policy of pages: resources from this server only, no
// inline scripts or styles, no frames.
const Policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Options configures New. The zero value is valid.
type Options struct {
	Env     string                              // APP_ENV; "development" reads files from disk
	Static  string                              // path of static files; default "/static"
	Policy  string                              // Content-Security-Policy; default Policy
	Funcs   template.FuncMap                    // additional filters
	Context func(c *gin.Context) map[string]any // returns data for every page; path, the request's path, is always set
}

// Data is the data of a page, by the names used in its templates. A name that Data
// lacks is an error.
type Data map[string]any

// Pages renders templates and serves static files.
type Pages struct {
	options Options
	source  fs.FS
	live    bool // reload when files change

	mu     sync.Mutex
	stamp  string // of the files that loaded was read from
	loaded *site
	err    error // why loading failed; in development only
}

// New parses the templates and static files of source. In development, if the
// directory dir exists under the working directory, they are read from there instead,
// whenever they change, and errors in them are shown in the browser. Otherwise New
// returns an error with file and line.
func New(source fs.FS, dir string, o Options) (*Pages, error) {
	if o.Static == "" {
		o.Static = "/static"
	}
	if o.Policy == "" {
		o.Policy = Policy
	}
	p := &Pages{options: o, source: source}
	if info, err := os.Stat(dir); o.Env == web.Development && err == nil && info.IsDir() {
		p.source, p.live = os.DirFS(dir), true
		return p, nil
	}
	var err error
	p.loaded, err = p.read()
	return p, err
}

// Routes returns the route of the static files. Browsers keep files requested by the
// names from asset indefinitely, and revalidate others.
func (p *Pages) Routes() []web.Route {
	return []web.Route{
		web.Handle(http.MethodGet, p.options.Static+"/*path", p.static).Doc("Serve a static file").Hide(),
	}
}

// Render responds with a page. The response has a weak ETag and becomes a 304 without
// a body if the client already has it. Unless the handler has set Cache-Control, only
// the client may store it, and must revalidate it.
func (p *Pages) Render(c *gin.Context, status int, page string, data Data) {
	body, err := p.execute(c, page, data)
	if err != nil {
		p.renderFailed(c, err)
		return
	}
	p.write(c, status, body)
}

func (p *Pages) write(c *gin.Context, status int, body []byte) {
	header := c.Writer.Header()
	header.Set("Content-Security-Policy", p.options.Policy)
	if header.Get("Cache-Control") == "" {
		header.Set("Cache-Control", "private, no-cache")
	}
	if status == http.StatusOK && web.NotModified(c, `W/"`+digest(body)+`"`) {
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	c.Status(status)
	_, _ = c.Writer.Write(body) // an error means that the client has disconnected
}

// Errors returns middleware that responds with the page error.html to browser
// navigation to a missing or forbidden page (404 and 403). The page gets status,
// message and request_id. Other requests, other errors, paths of the API and paths
// with a prefix in except get the JSON error of package web. Without error.html it
// does nothing.
func (p *Pages) Errors(except ...string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Next()
		if len(c.Errors) == 0 || c.Writer.Written() || !navigates(c.Request) || web.OfAPI(c) {
			return
		}
		for _, prefix := range except {
			if strings.HasPrefix(c.Request.URL.Path, prefix) {
				return
			}
		}
		f := fault.From(c.Errors.Last().Err)
		if f.Status != http.StatusNotFound && f.Status != http.StatusForbidden {
			return
		}
		body, err := p.execute(c, "error.html", Data{"status": f.Status, "message": f.Message, "request_id": web.RequestID(c.Request.Context())})
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			c.Errors = nil
			p.renderFailed(c, err)
		default:
			c.Errors = nil // handled
			c.Header("Cache-Control", "no-store")
			p.write(c, f.Status, body)
		}
	}
}

// navigates reports whether a browser requests a page to display.
func navigates(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		strings.HasPrefix(r.Header.Get("Accept"), "text/html") && (dest == "" || dest == "document")
}

func (p *Pages) execute(c *gin.Context, page string, data Data) ([]byte, error) {
	s, err := p.current()
	if err != nil {
		return nil, err
	}
	t := s.pages[page]
	if t == nil {
		return nil, fmt.Errorf("templates/%s: %w", page, fs.ErrNotExist)
	}
	all := map[string]any{"path": c.Request.URL.Path}
	if p.options.Context != nil {
		maps.Copy(all, p.options.Context(c))
	}
	maps.Copy(all, data)
	var body bytes.Buffer
	if err := t.Execute(&body, all); err != nil {
		return nil, locate(p.source, err)
	}
	return body.Bytes(), nil
}

// renderFailed responds to an error in a template: in development with its location,
// otherwise as for any unexpected error.
func (p *Pages) renderFailed(c *gin.Context, err error) {
	if !p.live {
		web.Fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Status(http.StatusInternalServerError)
	_ = errorPage.Execute(c.Writer, err.Error())
}

var errorPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Template error</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}pre{font:.9rem/1.6 ui-monospace,monospace;padding:1rem;border-left:4px solid #c33;overflow:auto;background:#8881}</style>
<h1>Template error</h1><pre>{{.}}</pre><p>Fix it and reload this page. Shown in development only.</p></html>
`))

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}
