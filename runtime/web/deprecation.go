package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Deprecation announces that clients of a module should move to its successor. Every
// response of its routes gets the headers Deprecation (RFC 9745), Sunset (RFC 8594)
// and Link with the relation successor-version (RFC 5829), and OpenAPI marks its
// operations as deprecated. The zero value deprecates nothing.
type Deprecation struct {
	Since     string // date of the deprecation: "2026-11-28"
	Sunset    string // date from which the routes may be removed; "" if undecided
	Successor string // prefix under which the next version has the same paths: "/api/v2"; "" if none
}

// deprecated returns middleware that sets the headers of a deprecated module, or nil
// if it is not deprecated.
func (m Module) deprecated() (gin.HandlerFunc, error) {
	d := m.Deprecated
	if d == (Deprecation{}) {
		return nil, nil
	}
	since, err := time.Parse(time.DateOnly, d.Since)
	if err != nil {
		return nil, fmt.Errorf("deprecated since: %w", err)
	}
	headers := map[string]string{"Deprecation": "@" + strconv.FormatInt(since.Unix(), 10)}
	if d.Sunset != "" {
		at, err := time.Parse(time.DateOnly, d.Sunset)
		if err != nil {
			return nil, fmt.Errorf("sunset: %w", err)
		}
		headers["Sunset"] = at.Format(http.TimeFormat)
	}
	return func(c *gin.Context) {
		h := c.Writer.Header()
		for name, value := range headers {
			h.Set(name, value)
		}
		if below, ok := strings.CutPrefix(c.Request.URL.EscapedPath(), m.Prefix); ok && d.Successor != "" {
			h.Add("Link", "<"+d.Successor+below+`>; rel="successor-version"`)
		}
	}, nil
}
