package web

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// maxRanges limits the ranges of one request: an object store needs a request for
// each.
const maxRanges = 20

// Content responds with content, in full or in the ranges that the request asks for,
// and evaluates its conditions (RFC 9110, 13 and 14). A request for more than 20
// ranges gets the full content. The handler must set Content-Type and, for
// conditional requests, ETag. Content returns an error only if nothing has been
// written: a fault 412 if a condition fails, 416 if the range is not satisfiable.
func Content(c *gin.Context, content io.ReadSeeker) error {
	unit, ranges, _ := strings.Cut(c.GetHeader("Range"), "=")
	if c.Request.Method != http.MethodGet || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Count(ranges, ",") >= maxRanges {
		c.Request.Header.Del("Range") // other methods and unknown units must be ignored (14.2), many ranges may be
		ranges = ""
	}
	w := &errorWriter{ResponseWriter: c.Writer}
	if last, ok := strings.CutPrefix(strings.TrimSpace(ranges), "-"); ok && last != "" && strings.Trim(last, "0") == "" {
		c.Request.Header.Set("Range", "bytes=0-") // "the last 0 bytes", which net/http would accept
		w.empty = true
	}
	http.ServeContent(w, c.Request, "", time.Time{}, content)
	switch w.status {
	case http.StatusPreconditionFailed:
		return &fault.Error{Status: w.status, Message: "The content has changed"}
	case http.StatusRequestedRangeNotSatisfiable:
		if size, err := content.Seek(0, io.SeekEnd); err == nil {
			c.Header("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		}
		return &fault.Error{Status: w.status, Message: "Range not satisfiable"}
	}
	return nil
}

// errorWriter intercepts the error responses of net/http.
type errorWriter struct {
	http.ResponseWriter
	empty  bool // the requested range is empty
	status int  // of the intercepted error; 0 if none
}

// WriteHeader implements http.ResponseWriter.
func (w *errorWriter) WriteHeader(status int) {
	if w.empty && status == http.StatusPartialContent {
		status = http.StatusRequestedRangeNotSatisfiable
	}
	if status == http.StatusPreconditionFailed || status == http.StatusRequestedRangeNotSatisfiable {
		w.status = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *errorWriter) Write(b []byte) (int, error) {
	if w.status != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *errorWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// NotModified sets the ETag of a 200 response. If the client already has it,
// NotModified responds with 304 instead and returns true.
func NotModified(c *gin.Context, tag string) bool {
	c.Header("ETag", tag)
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead || !weakMatch(c.GetHeader("If-None-Match"), tag) {
		return false
	}
	c.Status(http.StatusNotModified)
	c.Writer.WriteHeaderNow()
	return true
}
