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

// Fail ends the request with err, for middleware and plain Gin handlers. A
// *fault.Error determines the response; any other error is logged and becomes a 500
// that does not reveal it. The response must not have been started.
func Fail(c *gin.Context, err error) {
	if w, ok := c.Writer.(*unsentWriter); ok { // only the lookup of the ETag failed
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

// failed marks the errors to respond with, as opposed to those that middleware only
// collects.
type failed struct {
	stack string // of an unexpected error
}

// errorBody is the JSON form of every error. Detail is present only in a 500: null,
// or the cause in debug mode.
type errorBody struct {
	Error     string           `json:"error"`
	Code      int              `json:"code"`
	Details   []fault.Detail   `json:"details,omitempty"`
	Detail    *json.RawMessage `json:"detail,omitempty"`
	RequestID string           `json:"request_id"`
}

// writeError is the only place that turns an error into a response.
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
		header.Set("Connection", "close") // rather than read the rejected body
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", cmp.Or(f.Challenge, "Bearer"))
	}
	if f.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	for _, name := range []string{"Etag", "Content-Length", "Content-Encoding", "Content-Disposition", "Last-Modified", "Location"} {
		header.Del(name) // set for the success response
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

// Status returns the status of the response, for middleware that has called c.Next:
// that of the error, which is written last, or the one the handler has written.
func Status(c *gin.Context) int {
	if len(c.Errors) > 0 && !c.Writer.Written() {
		return fault.From(c.Errors.Last().Err).Status
	}
	return c.Writer.Status()
}
