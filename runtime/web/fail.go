package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Fail ends the request with err, for middleware and plain Gin handlers: a
// *fault.Error says what to answer, anything else is a 500 that is logged and
// not shown. Nothing may have been written before.
func Fail(c *gin.Context, err error) {
	if w, ok := c.Writer.(*unsentWriter); ok { // the request goes on
		w.failed = err
		return
	}
	var meta failed
	if fault.From(err).Status == http.StatusInternalServerError {
		meta.stack = string(debug.Stack())
	}
	_ = c.Error(err).SetMeta(meta)
	c.Abort()
}

// failed marks the errors that are answers, among those that middleware only
// collects.
type failed struct {
	stack string // of what was not expected
}

// errorBody is the one shape of an error. Detail is there in every 500: null,
// or in debug mode what went wrong.
type errorBody struct {
	Error     string           `json:"error"`
	Code      int              `json:"code"`
	Details   []fault.Detail   `json:"details,omitempty"`
	Detail    *json.RawMessage `json:"detail,omitempty"`
	RequestID string           `json:"request_id"`
}

// writeError is the only place where an error becomes an answer.
func writeError(c *gin.Context, f *fault.Error, debug bool) {
	body := errorBody{Error: f.Message, Code: f.Status, Details: f.Details, RequestID: RequestID(c)}
	header := c.Writer.Header()
	switch f.Status {
	case http.StatusInternalServerError:
		text := json.RawMessage("null")
		if debug && f.Cause != nil {
			text, _ = json.Marshal(f.Cause.Error())
		}
		body.Detail = &text
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		header.Set("Connection", "close") // instead of reading what is refused
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", cmp.Or(f.Challenge, "Bearer"))
	}
	if f.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	for _, name := range []string{"Etag", "Content-Length", "Content-Encoding", "Content-Disposition", "Last-Modified", "Location"} {
		header.Del(name) // of the success that did not come
	}
	header["Cache-Control"] = noStore
	header["Content-Type"] = jsonTypes
	text, err := json.Marshal(body)
	if err != nil {
		panic(errors.New("an error's body cannot fail to encode: " + err.Error()))
	}
	c.Status(f.Status)
	_, _ = c.Writer.Write(text)
}

// Status returns the status that the request is answered with, for middleware
// that has called c.Next: that of its error, which is written last, or what
// the handler has written.
func Status(c *gin.Context) int {
	if len(c.Errors) > 0 && !c.Writer.Written() {
		return fault.From(c.Errors.Last().Err).Status
	}
	return c.Writer.Status()
}
