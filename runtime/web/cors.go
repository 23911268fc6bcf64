package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// cors lets pages of the listed origins call the API with cookies, and answers their
// preflight requests (Fetch standard). Requests from other origins get no CORS
// headers, so their browsers block the response.
func cors(origins []string) gin.HandlerFunc {
	known := make(map[string][]string, len(origins))
	for _, origin := range origins {
		known[origin] = []string{origin}
	}
	// Shared by all responses; a handler that appends to one gets a copy.
	var (
		yes     = []string{"true"}
		exposed = []string{"Content-Disposition, Deprecation, ETag, Link, Location, RateLimit-Limit, RateLimit-Policy, RateLimit-Remaining, RateLimit-Reset, Retry-After, Sunset, X-Request-ID"}
		methods = []string{"GET, HEAD, POST, PUT, PATCH, DELETE"}
		headers = []string{"Authorization, Content-Type, If-Match, If-None-Match, X-API-Key, X-CSRF-Token, X-Request-ID"}
		maxAge  = []string{"600"}
	)
	return func(c *gin.Context) {
		h := c.Writer.Header()
		h.Add("Vary", "Origin")
		origin, ok := known[c.GetHeader("Origin")]
		if !ok {
			return
		}
		h["Access-Control-Allow-Origin"] = origin
		h["Access-Control-Allow-Credentials"] = yes
		if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" {
			h["Access-Control-Expose-Headers"] = exposed
			return
		}
		h.Add("Vary", "Access-Control-Request-Method")
		h["Access-Control-Allow-Methods"] = methods
		h["Access-Control-Allow-Headers"] = headers
		h["Access-Control-Max-Age"] = maxAge
		c.AbortWithStatus(http.StatusNoContent)
	}
}
