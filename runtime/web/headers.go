package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// secure sets security headers that restrict what browsers do with a response (ASVS
// 5, 3.4). They suit an API; a handler that serves a page overrides
// Content-Security-Policy.
func (a *App) secure(c *gin.Context) {
	// The slices are shared by all requests: their capacity is 1, so that append
	// copies them.
	h := c.Writer.Header()
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Content-Security-Policy"] = apiPolicy
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	if a.HTTPS(c.Request) {
		h["Strict-Transport-Security"] = twoYears
	}
}

var (
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	apiPolicy  = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	sameOrigin = []string{"same-origin"}
	twoYears   = []string{"max-age=63072000; includeSubDomains"}
)

// HTTPS reports whether the client uses TLS, with this process or with a trusted
// proxy according to X-Forwarded-Proto.
func (a *App) HTTPS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") && a.proxied(r)
}

// proxied reports whether a request comes from a trusted proxy.
func (a *App) proxied(r *http.Request) bool {
	if len(a.proxies) == 0 {
		return false
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool { return p.Contains(remote.Addr().Unmap()) })
}
