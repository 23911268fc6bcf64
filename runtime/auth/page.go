package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/web"
)

// pageUseEvery is the precision of the recorded last use of a page session.
const pageUseEvery = time.Minute

// CSRFHeader and CSRFField are where a form token is read from.
const (
	CSRFHeader = "X-CSRF-Token"
	CSRFField  = "csrf_token"
)

// LoginPage is [Service.Login] for pages: it opens a session on the server and sets its
// cookie, always a new one, so that an identifier planted before the login is worthless
// (ASVS 5, 7.2.4). An existing session of the browser is ended. It returns the form
// token of the new session; see [CSRF].
func (s *Service) LoginPage(c *gin.Context, in Credentials) (csrf string, err error) {
	if err := s.refuseCrossSite(c); err != nil {
		return "", err
	}
	ctx, client := c.Request.Context(), ClientOf(c)
	user, err := s.findUser(ctx, in.Username)
	if err != nil {
		return "", err
	}
	if user, err = s.verify(ctx, client, user, in, true, invalidCredentials()); err != nil {
		return "", err
	}
	if before, err := s.pageIdentity(c); err == nil {
		if err := s.LogoutSession(ctx, before); err != nil {
			return "", err
		}
	}
	cookie := secret()
	var session sessionRow
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		session, err = s.open(tx, user, client, kindPage, digest(cookie), true)
		return err
	})
	if err != nil {
		return "", err
	}
	s.setCookie(c, s.pageCookie(c.Request), cookie, "/", http.SameSiteLaxMode, s.cfg.SessionTTL)
	s.event(ctx, slog.LevelInfo, "login", slog.Int64("user_id", user.ID), slog.String("session", session.ID), slog.String("address", client.Address))
	NoStore(c)
	return formToken(s.keys[0], cookie), nil
}

// LogoutPage ends the page session of the request, if any, and clears its cookie.
func (s *Service) LogoutPage(c *gin.Context) error {
	if err := s.refuseCrossSite(c); err != nil {
		return err
	}
	if id, err := s.pageIdentity(c); err == nil {
		if err := s.LogoutSession(c.Request.Context(), id); err != nil {
			return err
		}
	}
	s.setCookie(c, s.pageCookie(c.Request), "", "/", http.SameSiteLaxMode, -time.Second)
	return nil
}

// Page admits requests with a page session, whose user [From] then returns. Requests
// with an unsafe method are rejected with 403 if they come from another site. It
// ignores tokens and keys, as the other guards ignore the cookie.
func Page() web.Guard {
	return web.Guard{
		Doc:  "Requires a page session.",
		Name: "page", Scheme: hostCookie, Status: []int{http.StatusUnauthorized, http.StatusForbidden},
		Check: func(c *gin.Context) error {
			a := requestAuthOf(c)
			if a == nil {
				return errNoMiddleware
			}
			if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
				if err := a.service.refuseCrossSite(c); err != nil {
					return err
				}
			}
			id, err := a.service.pageIdentity(c)
			return a.set(id, err)
		},
	}
}

// CSRF returns the form token of the request's page session, for a hidden field named
// csrf_token; "" without a session. It is bound to the session and has the same
// lifetime.
func CSRF(c *gin.Context) string {
	s := Of(c)
	if s == nil {
		return ""
	}
	cookie, err := c.Request.Cookie(s.pageCookie(c.Request))
	if err != nil {
		return ""
	}
	return formToken(s.keys[0], cookie.Value)
}

func formToken(k key, cookie string) string {
	mac := hmac.New(sha256.New, k.csrf)
	mac.Write([]byte(cookie))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// refuseCrossSite returns a 403 fault for a request that another site may have caused,
// according to Origin and Sec-Fetch-Site. A browser too old to send either can be made
// to submit a form, so a form without them needs the token of [CSRF]; a token that is
// sent is always checked.
func (s *Service) refuseCrossSite(c *gin.Context) error {
	r := c.Request
	if !s.sameSite(r) {
		return crossSite()
	}
	sent := r.Header.Get(CSRFHeader)
	cookie, err := r.Cookie(s.pageCookie(r))
	if err != nil { // no session to abuse
		return nil
	}
	proven := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
	if kind := formKind(r); sent == "" && kind != "" && !proven {
		if kind == "application/x-www-form-urlencoded" {
			r.Body = http.MaxBytesReader(c.Writer, r.Body, maxForm) // the body is not limited yet
			sent = c.PostForm(CSRFField)
		}
		if sent == "" {
			return crossSite()
		}
	}
	if sent == "" {
		return nil
	}
	for _, k := range s.keys {
		if hmac.Equal([]byte(sent), []byte(formToken(k, cookie.Value))) {
			return nil
		}
	}
	return crossSite()
}

// maxForm bounds a form that is read for its token, in bytes.
const maxForm = 1 << 20

// formKind returns the content type of a request that a plain HTML form on another site
// can send; "" for all others.
func formKind(r *http.Request) string {
	kind, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	switch kind = strings.TrimSpace(kind); kind {
	case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
		return kind
	}
	return ""
}

// hostCookie is the session cookie over HTTPS: its prefix makes browsers restrict it to
// this host and to HTTPS.
const hostCookie = "__Host-session"

// pageCookie returns the name of the session cookie.
func (s *Service) pageCookie(r *http.Request) string {
	if s.secure(r) {
		return hostCookie
	}
	return "session"
}

// pageIdentity returns the identity of the page session of the request's cookie.
func (s *Service) pageIdentity(c *gin.Context) (Identity, error) {
	cookie, err := c.Request.Cookie(s.pageCookie(c.Request))
	if err != nil {
		return Identity{}, unauthenticated()
	}
	ctx := c.Request.Context()
	session, err := s.pageSession(ctx, digest(cookie.Value))
	if err != nil {
		return Identity{}, err
	}
	live, ok, err := s.liveSession(ctx, session)
	if err != nil {
		return Identity{}, err
	}
	if !ok || live.kind != kindPage {
		return Identity{}, unauthenticated()
	}
	return s.identity(session, live), nil
}

// BrowserSessions returns the IDs of the active sessions of the request's cookies: that
// of its refresh token, which is not consumed, and that of its pages. It returns a 401
// fault if there is none, unless refresh tokens are not sent in cookies
// (AUTH_REFRESH=body).
func (s *Service) BrowserSessions(c *gin.Context) ([]string, error) {
	var ids []string
	if page, err := s.pageIdentity(c); err == nil {
		ids = append(ids, page.SessionID)
	}
	if s.cfg.Refresh == "body" {
		return ids, nil
	}
	if cookie, err := c.Request.Cookie(RefreshCookie); err == nil {
		_, session, err := s.family(s.db.WithContext(c.Request.Context()), cookie.Value)
		if err != nil {
			return nil, err
		}
		if session.ID != "" {
			ids = append(ids, session.ID)
		}
	}
	if len(ids) == 0 {
		return nil, unauthenticated()
	}
	return ids, nil
}

// pageSession returns the ID of a page session by its cookie, unless it was unused for
// too long, and records its use.
func (s *Service) pageSession(ctx context.Context, hash string) (string, error) {
	var row sessionRow
	now := s.now()
	tx := s.db.WithContext(ctx)
	err := tx.Where("cookie_hash = ? AND kind = ? AND revoked_at = 0 AND last_used_at > ?", hash, kindPage, now.Add(-s.cfg.PageTTL).UnixMilli()).
		Limit(1).Find(&row).Error
	if err != nil {
		return "", err
	}
	if row.ID == "" {
		return "", unauthenticated()
	}
	if now.UnixMilli()-row.LastUsedAt > pageUseEvery.Milliseconds() {
		err = tx.Model(&row).UpdateColumn("last_used_at", now.UnixMilli()).Error
	}
	return row.ID, err
}
