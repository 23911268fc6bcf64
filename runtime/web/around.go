package web

import (
	"crypto/rand"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

const requestIDHeader = "X-Request-Id"

// RequestID returns the id under which the request is logged, which its answer
// carries in X-Request-ID.
func RequestID(c *gin.Context) string { return c.Writer.Header().Get(requestIDHeader) }

// around is the outermost middleware of every request.
func (a *App) around(c *gin.Context) {
	c.Writer.Header()[requestIDHeader] = []string{rand.Text()}
	c.Next()
	if len(c.Errors) > 0 && !c.Writer.Written() {
		f := fault.From(c.Errors.Last().Err)
		if f.Status >= http.StatusInternalServerError {
			a.Log.Error("request failed", "error", f, "request_id", RequestID(c))
		}
		writeError(c, f, a.Config.Debug)
	}
}
