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

// preconditions hold writes to the version of the resource that their client
// has seen: If-Match names its ETag (RFC 9110, 13.1.1), If-None-Match those that it
// must not have, or with * says that there must be none (13.1.2).
type preconditions struct {
	reads map[string]gin.HandlerFunc // what answers GET, by path as Gin has it
	turns [64]sync.Mutex             // of writes with a condition, by the hash of their path
}

// holds serves a route that writes, or answers 412 where what a GET of the same
// path would answer is not what If-Match names, or is what If-None-Match names. Of
// several that name the same version at once a process lets one write, and of several
// processes the database does: what the GET found by db.Find is written in that
// version alone. A path that the route does not match has no version.
func (p *preconditions) holds(r Route, bound binding) gin.HandlerFunc {
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
		if r.bind != nil { // it reads its body into memory
			// Nobody waits for a body that is slow to come.
			body, err := io.ReadAll(c.Request.Body)
			c.Request.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
			turn := &p.turns[xxhash.Sum64String(c.Request.URL.Path)%uint64(len(p.turns))]
			turn.Lock()
			defer turn.Unlock()
		}
		rows := new(seen.Rows)
		tag, there, err := p.current(c, rows)
		switch {
		case c.IsAborted():
			return
		case err != nil && (match != "" || fault.From(err).Status >= http.StatusInternalServerError):
			Fail(c, err) // it cannot be read
			return
		case match != "" && (!there || !names(match, tag)), there && matches(none, tag):
			Fail(c, seen.Changed())
			return
		}
		if match != "" && match != "*" {
			c.Request = c.Request.WithContext(rows.Held(c.Request.Context()))
		}
		serve(c)
	}
}

// condition is the value of a header that may come several times.
func condition(h http.Header, name string) string {
	return strings.TrimSpace(strings.Join(h[name], ","))
}

// current is the ETag of what a GET of the path would answer, and whether there
// is something to answer. The rows that it is made of are noted.
func (p *preconditions) current(c *gin.Context, rows *seen.Rows) (tag string, there bool, err error) {
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

// names reports whether If-Match names the tag, which compares strongly: a weak
// tag is nobody's.
func names(given, tag string) bool {
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

// unsentWriter takes an answer that nobody is sent.
type unsentWriter struct {
	gin.ResponseWriter
	header  http.Header
	status  int
	written bool
	failed  error // what the request would have failed with
}

func (w *unsentWriter) Header() http.Header               { return w.header }
func (w *unsentWriter) WriteHeader(status int)            { w.status = status }
func (w *unsentWriter) WriteHeaderNow()                   { w.written = true }
func (w *unsentWriter) Write(p []byte) (int, error)       { w.written = true; return len(p), nil }
func (w *unsentWriter) WriteString(s string) (int, error) { w.written = true; return len(s), nil }
func (w *unsentWriter) Status() int                       { return w.status }
func (w *unsentWriter) Written() bool                     { return w.written }
func (w *unsentWriter) Flush()                            {}

// Unwrap is for http.ResponseController, which finds nothing to control.
func (w *unsentWriter) Unwrap() http.ResponseWriter { return nil }

// failing is the end of a body that did not arrive whole.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) {
	if f.err == nil || errors.Is(f.err, io.EOF) {
		return 0, io.EOF
	}
	return 0, f.err
}
