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

// maxRanges is how many ranges of one request are looked at: of an object store each
// is a request of its own.
const maxRanges = 20

// Content answers with content, whole or in the ranges that the request asks
// for, and on the conditions that it makes (RFC 9110, 13 and 14). Who asks for more
// than 20 ranges gets the whole. The handler has set Content-Type and, so that there
// is something to compare, ETag. It returns an error only when nothing was written:
// fault 412 where a condition does not hold, 416 where there is no such range.
func Content(c *gin.Context, content io.ReadSeeker) error {
	unit, ranges, _ := strings.Cut(c.GetHeader("Range"), "=")
	if !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Count(ranges, ",") >= maxRanges {
		c.Request.Header.Del("Range") // a unit that is not known is passed over (14.2), and so may be many ranges
	}
	w := &refusals{ResponseWriter: c.Writer}
	if last, ok := strings.CutPrefix(strings.TrimSpace(ranges), "-"); ok && last != "" && strings.Trim(last, "0") == "" {
		c.Request.Header.Set("Range", "bytes=0-") // the last no bytes, which net/http takes for a range
		w.none = true
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

// refusals keeps back what net/http writes where it refuses.
type refusals struct {
	http.ResponseWriter
	none   bool // there is nothing in the range that is asked for
	status int  // of a refusal
}

// WriteHeader implements http.ResponseWriter.
func (w *refusals) WriteHeader(status int) {
	if w.none && status == http.StatusPartialContent {
		status = http.StatusRequestedRangeNotSatisfiable
	}
	if status == http.StatusPreconditionFailed || status == http.StatusRequestedRangeNotSatisfiable {
		w.status = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *refusals) Write(b []byte) (int, error) {
	if w.status != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *refusals) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// NotModified sets the ETag of an answer 200, and answers 304 instead where the
// client holds that already, which it then returns.
func NotModified(c *gin.Context, tag string) bool {
	c.Header("ETag", tag)
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead || !matches(c.GetHeader("If-None-Match"), tag) {
		return false
	}
	c.Status(http.StatusNotModified)
	c.Writer.WriteHeaderNow()
	return true
}
