package web

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/seen"
)

// pool lends buffers to requests.
type pool struct{ sync.Pool }

// maxPooled is the largest buffer kept for another request, in bytes.
const maxPooled = 64 << 10

func (p *pool) get() *bytes.Buffer {
	if b, ok := p.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return new(bytes.Buffer)
}

func (p *pool) put(b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		p.Put(b)
	}
}

const jsonType = "application/json; charset=utf-8"

// Header values that many answers share; as in secure, none has room for more.
var (
	jsonTypes  = []string{jsonType}
	noStore    = []string{"no-store"}
	revalidate = []string{"private, no-cache"}
	byEncoding = []string{"Accept-Encoding"}
)

// answer writes out as JSON. The success of a GET carries an ETag of its
// bytes unless the handler has set one or forbidden storing, and is a 304
// without body when the client has it already (RFC 9110, 13.1.2).
func answer(c *gin.Context, buffers *pool, status int, out any) {
	buffer := buffers.get()
	defer buffers.put(buffer)
	if err := json.NewEncoder(buffer).Encode(out); err != nil {
		Fail(c, fault.Internal(fmt.Errorf("encode %T: %w", out, err)))
		return
	}
	if s := c.Writer.Status(); s != http.StatusOK {
		status = s // the handler has chosen one
	}
	body := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	header := c.Writer.Header()
	if read(c, status) && conditional(c, xxhash.Sum64(body)) {
		return
	}
	header["Content-Type"] = jsonTypes
	c.Status(status)
	// An error here means that the client has gone.
	_, _ = c.Writer.Write(body)
}

// answer is answer for one that is large. It is encoded twice where it has an
// ETag, which comes before it.
func (p *pieces) answer(c *gin.Context, status int, out reflect.Value) {
	if s := c.Writer.Status(); s != http.StatusOK {
		status = s
	}
	sum := xxhash.New()
	if err := p.write(sum, out); err != nil {
		Fail(c, fault.Internal(err))
		return
	}
	if read(c, status) && conditional(c, sum.Sum64()) {
		return
	}
	c.Writer.Header()["Content-Type"] = jsonTypes
	c.Status(status)
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeaderNow()
		return
	}
	_ = p.write(c.Writer, out) // an error means that the client has gone
}

// read reports whether an answer is what a resource is.
func read(c *gin.Context, status int) bool {
	return status == http.StatusOK && (c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead)
}

// conditional sets the ETag of a body with this hash and reports whether the request
// is answered by it: with 304 when the client holds the body, or 412 when If-Match
// does not name it.
func conditional(c *gin.Context, hash uint64) bool {
	header := c.Writer.Header()
	cache, tag := header.Get("Cache-Control"), header.Get("Etag")
	kept := !strings.Contains(cache, "no-store")
	if kept && cache == "" {
		// What one client may read is not for a shared cache, and is asked
		// for again each time.
		header["Cache-Control"] = revalidate
	}
	if kept && tag == "" {
		tag = etag(hash)
		header["Etag"] = []string{tag}
	}
	asked := c.Request.Header
	switch match := condition(asked, "If-Match"); {
	case match != "" && !names(match, tag):
		Fail(c, seen.Changed())
	case kept && matches(condition(asked, "If-None-Match"), tag):
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
	default:
		return false
	}
	return true
}

func etag(hash uint64) string {
	const digits = "0123456789abcdef"
	tag := [18]byte{'"', 17: '"'}
	for i, sum := 16, hash; i > 0; i, sum = i-1, sum>>4 {
		tag[i] = digits[sum&15]
	}
	return string(tag[:])
}

// matches compares weakly, as If-None-Match asks for.
func matches(given, tag string) bool {
	if given == "" {
		return false
	}
	if given == "*" {
		return true
	}
	for candidate := range strings.SplitSeq(given, ",") {
		if strings.TrimPrefix(strings.TrimSpace(candidate), "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// Location sets the Location header of an answer 201: the request's path
// followed by the new resource's id, or by all parts of its key.
func Location(c *gin.Context, id any, more ...any) {
	at := strings.TrimSuffix(c.Request.URL.EscapedPath(), "/")
	for _, part := range append([]any{id}, more...) {
		at += "/" + url.PathEscape(keyText(part))
	}
	c.Header("Location", at)
}

// keyText is a part of a key as a path has it, and JSON.
func keyText(part any) string {
	if m, ok := part.(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(part)
}
