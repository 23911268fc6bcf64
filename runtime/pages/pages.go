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

// Policy is the Content-Security-Policy of a page: everything from this
// server, nothing from elsewhere, no inline scripts or styles, no frames.
const Policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Options says how pages are made. The zero value is fine.
type Options struct {
	Env     string                              // APP_ENV; "development" reads from disk
	Static  string                              // the path of static files; "/static"
	Policy  string                              // Content-Security-Policy; the constant Policy
	Funcs   template.FuncMap                    // filters besides those of this package
	Context func(c *gin.Context) map[string]any // what every page is given besides its data; path, the request's path, always is
}

// Data is what a page shows, by the names its templates use. A name that a
// template uses and Data lacks is an error.
type Data map[string]any

// Pages renders templates and serves static files.
type Pages struct {
	options Options
	source  fs.FS
	live    bool // read again when files change

	mu    sync.Mutex
	stamp string // of the files that current was made of
	now   *site
	err   error // why now could not be made; in development only
}

// New reads the templates and static files of source. In development, when the
// directory dir exists below the working directory, they are read from there
// instead, again and again, and a mistake in them is shown in the browser;
// otherwise a mistake is an error here that names file and line.
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
	p.now, err = p.read()
	return p, err
}

// Routes returns the route of the static files. Names that asset makes are
// kept by browsers for ever, others are asked for again each time.
func (p *Pages) Routes() []web.Route {
	return []web.Route{
		web.Handle(http.MethodGet, p.options.Static+"/*path", p.static).Doc("Serve a static file").Hide(),
	}
}

// Render answers with a page. It carries a weak ETag, and is a 304 without
// body when the client has it already. Unless the handler has set
// Cache-Control, only the client keeps it, and asks each time.
func (p *Pages) Render(c *gin.Context, status int, page string, data Data) {
	body, err := p.execute(c, page, data)
	if err != nil {
		p.broken(c, err)
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
	_, _ = c.Writer.Write(body) // an error means that the client has gone
}

// Errors returns middleware that shows a person who follows a link to what is
// absent or forbidden the page error.html, which is given status, message and
// request_id. Everybody else, every other error, paths of the API and those that
// begin with one of except get the JSON that package web writes. Without such a
// page it does nothing.
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
			p.broken(c, err)
		default:
			c.Errors = nil // it is answered
			c.Header("Cache-Control", "no-store")
			p.write(c, f.Status, body)
		}
	}
}

// navigates says whether the request is a browser's for a page to show.
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

// broken answers when a page could not be made: in development with the place
// of the mistake, otherwise like every unexpected error.
func (p *Pages) broken(c *gin.Context, err error) {
	if !p.live {
		web.Fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Status(http.StatusInternalServerError)
	_ = mistake.Execute(c.Writer, err.Error())
}

var mistake = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Template error</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;margin:3rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}pre{font:.9rem/1.6 ui-monospace,monospace;padding:1rem;border-left:4px solid #c33;overflow:auto;background:#8881}</style>
<h1>Template error</h1><pre>{{.}}</pre><p>Fix it and reload this page. Shown in development only.</p></html>
`))

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}
