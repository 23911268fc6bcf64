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

// pool reuses buffers between requests.
type pool struct{ sync.Pool }

// maxPooled is the capacity in bytes above which a buffer is not reused.
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

// Header values shared by many responses; as in secure, none has spare capacity.
var (
	jsonTypes  = []string{jsonType}
	noStore    = []string{"no-store"}
	revalidate = []string{"private, no-cache"}
	byEncoding = []string{"Accept-Encoding"}
)

// respond writes out as JSON. A successful GET gets an ETag computed from its bytes,
// unless the handler has set one or forbidden storing, and becomes a 304 without a
// body if the client already has it (RFC 9110, 13.1.2).
func respond(c *gin.Context, buffers *pool, status int, out any) {
	buffer := buffers.get()
	defer buffers.put(buffer)
	if err := json.NewEncoder(buffer).Encode(out); err != nil {
		Fail(c, fault.Internal(fmt.Errorf("encode %T: %w", out, err)))
		return
	}
	if s := c.Writer.Status(); s != http.StatusOK {
		status = s // set by the handler
	}
	body := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	header := c.Writer.Header()
	if read(c, status) && conditional(c, xxhash.Sum64(body)) {
		return
	}
	header["Content-Type"] = jsonTypes
	c.Status(status)
	// An error means that the client has disconnected.
	_, _ = c.Writer.Write(body)
}

// respond writes a large value. It encodes the value twice if it needs an ETag, which
// precedes the body.
func (p *streamer) respond(c *gin.Context, status int, out reflect.Value) {
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
	_ = p.write(c.Writer, out) // an error means that the client has disconnected
}

// read reports whether a response is the representation of a resource.
func read(c *gin.Context, status int) bool {
	return status == http.StatusOK && (c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead)
}

// conditional sets the ETag of a body with this hash and reports whether that settles
// the request: with 304 if the client has the body, or 412 if If-Match does not
// match.
func conditional(c *gin.Context, hash uint64) bool {
	header := c.Writer.Header()
	cache, tag := header.Get("Cache-Control"), header.Get("Etag")
	kept := !strings.Contains(cache, "no-store")
	if kept && cache == "" {
		// The response may be private to the client, so shared caches must not store
		// it and browsers must revalidate it.
		header["Cache-Control"] = revalidate
	}
	if kept && tag == "" {
		tag = etag(hash)
		header["Etag"] = []string{tag}
	}
	asked := c.Request.Header
	switch match := condition(asked, "If-Match"); {
	case match != "" && !strongMatch(match, tag):
		Fail(c, seen.Changed())
	case kept && weakMatch(condition(asked, "If-None-Match"), tag):
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

// weakMatch compares weakly, as If-None-Match requires.
func weakMatch(given, tag string) bool {
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

// Location sets the Location header of a 201 response: the request's path followed by
// the new resource's id, or by all parts of its key.
func Location(c *gin.Context, id any, more ...any) {
	at := strings.TrimSuffix(c.Request.URL.EscapedPath(), "/")
	for _, part := range append([]any{id}, more...) {
		at += "/" + url.PathEscape(keyText(part))
	}
	c.Header("Location", at)
}

// keyText formats a part of a key as in paths and in JSON.
func keyText(part any) string {
	if m, ok := part.(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(part)
}
