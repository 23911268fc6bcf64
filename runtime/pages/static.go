package pages

import (
	"bytes"
	"mime"
	"path"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// asset is one static file.
type asset struct {
	name    string // below static/
	content []byte
	digest  string
}

// hashed returns the name that changes with the content: app.0123456789ab.css for
// app.css.
func (a asset) hashed() string {
	extension := path.Ext(a.name)
	return strings.TrimSuffix(a.name, extension) + "." + a.digest + extension
}

var hashForm = regexp.MustCompile(`\.[0-9a-f]{12}(\.[^./]*)?$`)

// static serves a file under its own name and its hashed name. An outdated hash, as
// in a page rendered by an older replica, gets the current file, without being
// cached.
func (p *Pages) static(c *gin.Context) {
	s, err := p.current()
	if err != nil {
		p.renderFailed(c, err)
		return
	}
	name := strings.TrimPrefix(c.Param("path"), "/")
	a, ok := s.assets[name]
	if !ok {
		a, ok = s.assets[hashForm.ReplaceAllString(name, "$1")]
	}
	if !ok {
		web.Fail(c, fault.NotFound("File not found"))
		return
	}
	header := c.Writer.Header()
	header.Set("Content-Type", contentType(a.name))
	header.Set("ETag", `"`+a.digest+`"`)
	header.Set("Cache-Control", "no-cache")
	if name == a.hashed() {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if err := web.Content(c, bytes.NewReader(a.content)); err != nil {
		web.Fail(c, err)
	}
}

// contentType has the common types built in, since the system's list differs between
// machines.
func contentType(name string) string {
	switch extension := path.Ext(name); extension {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".png", ".gif", ".webp", ".avif", ".jpeg":
		return "image/" + extension[1:]
	case ".jpg":
		return "image/jpeg"
	case ".ico":
		return "image/x-icon"
	case ".woff", ".woff2":
		return "font/" + extension[1:]
	default:
		if t := mime.TypeByExtension(extension); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}
