package auth

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// RefreshCookie is the name of the cookie that holds the refresh token.
const RefreshCookie = "refresh_token"

// Token is the response to a login or a refresh (RFC 6749, 5.1).
type Token struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`              // bearer
	ExpiresIn    int64  `json:"expires_in"`              // seconds
	RefreshToken string `json:"refresh_token,omitempty"` // only with AUTH_REFRESH=body
}

// Deliver sends a grant to the client: the refresh token in its cookie, or in the body
// with AUTH_REFRESH=body. The browser sends the cookie only to routes below the parent
// path of the current one, "/api/v1/auth/...".
func (s *Service) Deliver(c *gin.Context, g Grant) Token {
	NoStore(c)
	token := Token{AccessToken: g.AccessToken, TokenType: "bearer", ExpiresIn: int64(g.ExpiresIn / time.Second)}
	if s.cfg.Refresh == "body" {
		token.RefreshToken = g.RefreshToken
		return token
	}
	// Rounded, so that a lifetime of 168h is Max-Age=604800.
	s.setCookie(c, RefreshCookie, g.RefreshToken, path.Dir(c.FullPath()), http.SameSiteStrictMode, g.RefreshExpires.Sub(s.now()).Round(time.Second))
	return token
}

// CookieToken returns the refresh token of the request's cookie, or "". It returns a
// 403 fault if the request comes from another site.
func (s *Service) CookieToken(c *gin.Context) (string, error) {
	cookie, err := c.Request.Cookie(RefreshCookie)
	if err != nil || s.cfg.Refresh == "body" {
		return "", nil
	}
	if !s.sameSite(c.Request) {
		return "", crossSite()
	}
	return cookie.Value, nil
}

// ClearCookie makes the browser delete the refresh token. Use it on a route with the
// same parent path as the one that delivered it.
func (s *Service) ClearCookie(c *gin.Context) {
	if s.cfg.Refresh != "body" {
		s.setCookie(c, RefreshCookie, "", path.Dir(c.FullPath()), http.SameSiteStrictMode, -time.Second)
	}
}

// NoStore disables caching of the response. Use it on every route that responds with a
// secret.
func NoStore(c *gin.Context) { c.Header("Cache-Control", "no-store") }

func (s *Service) setCookie(c *gin.Context, name, value, path string, site http.SameSite, lifetime time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: int(lifetime / time.Second),
		HttpOnly: true, Secure: s.secure(c.Request), SameSite: site,
	})
}

// secure returns false only in development over plain HTTP, where browsers would drop a
// Secure cookie. The forwarded header may be forged, but it can only make the cookie
// stricter.
func (s *Service) secure(r *http.Request) bool {
	return s.cfg.Env != "development" || r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// sameSite reports whether neither Origin nor Sec-Fetch-Site names another site.
// Browsers send at least one of them with every request that a page of another site can
// cause; a client that sends neither is not a browser and has no cookie jar to abuse.
// Origins in CORS_ORIGINS count as the same site, unless the browser says cross-site.
func (s *Service) sameSite(r *http.Request) bool {
	trusted, ownOrigin := false, false
	if origin := r.Header.Get("Origin"); origin != "" {
		trusted = slices.Contains(s.cfg.Origins, origin)
		u, err := url.Parse(origin)
		ownOrigin = err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
		if !ownOrigin && !trusted {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	case "same-site": // a sibling domain: only if listed
		return trusted
	default:
		return false
	}
}
