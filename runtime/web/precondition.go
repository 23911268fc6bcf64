package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/seen"
)

// preconditions evaluates the conditions of writes: If-Match lists the ETags that the
// resource may have (RFC 9110, 13.1.1), If-None-Match those that it must not have, or
// * if it must not exist (13.1.2).
type preconditions struct {
	reads map[string]gin.HandlerFunc // handlers of GET, by Gin path
	locks [64]sync.Mutex             // serialise conditional writes, by hash of the path
}

// wrap returns the handler of a write. It responds with 412 if the ETag of a GET of
// the same path does not match If-Match or matches If-None-Match. If several requests
// name the same version, one process lets one of them write; between processes the
// database decides, since rows that db.Find read for the GET are updated only in that
// version. A path that the route does not match has no version.
func (p *preconditions) wrap(r Route, bound binding) gin.HandlerFunc {
	serve := bound.serve
	return func(c *gin.Context) {
		match, none := condition(c.Request.Header, "If-Match"), condition(c.Request.Header, "If-None-Match")
		switch {
		case match == "" && none == "" && !r.Lock:
			serve(c)
			return
		case !bound.matches(c):
			Fail(c, noRoute())
			return
		case match == "" && r.Lock:
			Fail(c, &fault.Error{Status: http.StatusPreconditionRequired, Message: "Send the row's ETag in If-Match"})
			return
		}
		if r.bind != nil { // a typed route reads its body into memory anyway
			// Read a slow body before taking the lock.
			body, err := io.ReadAll(c.Request.Body)
			c.Request.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), errReader{err}))
			lock := &p.locks[xxhash.Sum64String(c.Request.URL.Path)%uint64(len(p.locks))]
			lock.Lock()
			defer lock.Unlock()
		}
		rows := new(seen.Rows)
		tag, exists, err := p.currentETag(c, rows)
		switch {
		case c.IsAborted():
			return
		case err != nil && (match != "" || fault.From(err).Status >= http.StatusInternalServerError):
			Fail(c, err) // the current version cannot be read
			return
		case match != "" && (!exists || !strongMatch(match, tag)), exists && weakMatch(none, tag):
			Fail(c, seen.Changed())
			return
		}
		if match != "" && match != "*" {
			c.Request = c.Request.WithContext(rows.Held(c.Request.Context()))
		}
		serve(c)
	}
}

// condition returns the value of a header that may be repeated.
func condition(h http.Header, name string) string {
	return strings.TrimSpace(strings.Join(h[name], ","))
}

// currentETag returns the ETag that a GET of the path would return, and whether the
// resource exists. It records the rows read in rows.
func (p *preconditions) currentETag(c *gin.Context, rows *seen.Rows) (tag string, exists bool, err error) {
	read, ok := p.reads[c.FullPath()]
	if !ok {
		return "", false, nil
	}
	request, writer := c.Request, c.Writer
	defer func() { c.Request, c.Writer = request, writer }()
	asked := request.WithContext(rows.Read(request.Context()))
	asked.Method, asked.Body, asked.Header = http.MethodHead, http.NoBody, request.Header.Clone()
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range", "Content-Type", "Content-Length"} {
		asked.Header.Del(name)
	}
	unsent := &unsentWriter{ResponseWriter: writer, header: http.Header{}, status: http.StatusOK}
	c.Request, c.Writer = asked, unsent
	read(c)
	return unsent.header.Get("Etag"), unsent.failed == nil && unsent.status == http.StatusOK, unsent.failed
}

// strongMatch reports whether If-Match lists the tag. The comparison is strong: a
// weak tag never matches.
func strongMatch(given, tag string) bool {
	if given == "*" {
		return true
	}
	for candidate := range strings.SplitSeq(given, ",") {
		if candidate = strings.TrimSpace(candidate); candidate == tag && strings.HasPrefix(tag, `"`) {
			return true
		}
	}
	return false
}

// unsentWriter discards a response.
type unsentWriter struct {
	gin.ResponseWriter
	header  http.Header
	status  int
	written bool
	failed  error // error passed to Fail
}

func (w *unsentWriter) Header() http.Header               { return w.header }
func (w *unsentWriter) WriteHeader(status int)            { w.status = status }
func (w *unsentWriter) WriteHeaderNow()                   { w.written = true }
func (w *unsentWriter) Write(p []byte) (int, error)       { w.written = true; return len(p), nil }
func (w *unsentWriter) WriteString(s string) (int, error) { w.written = true; return len(s), nil }
func (w *unsentWriter) Status() int                       { return w.status }
func (w *unsentWriter) Written() bool                     { return w.written }
func (w *unsentWriter) Flush()                            {}

// Unwrap keeps http.ResponseController from reaching the connection.
func (w *unsentWriter) Unwrap() http.ResponseWriter { return nil }

// errReader ends a body that was not read completely.
type errReader struct{ err error }

// Read implements io.Reader.
func (f errReader) Read([]byte) (int, error) {
	if f.err == nil || errors.Is(f.err, io.EOF) {
		return 0, io.EOF
	}
	return 0, f.err
}
