package auth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type loginIn struct {
	Body struct{ Username, Password string }
}

type shownToken struct {
	Token string `json:"token"`
}

func pageModules(s *Service) []web.Module {
	none := web.None{}
	return []web.Module{
		{Name: "auth", Use: []gin.HandlerFunc{s.Middleware()}},
		{Name: "pages", Routes: []web.Route{
			web.Post("/login", func(c *gin.Context, in loginIn) (web.None, error) {
				_, err := s.LoginPage(c, Credentials{Username: in.Body.Username, Password: in.Body.Password})
				return none, err
			}),
			web.Post("/logout", func(c *gin.Context, _ web.None) (web.None, error) { return none, s.LogoutPage(c) }),
			web.Get("/page", who).Guard(Page()),
			web.Handle(http.MethodPost, "/page", func(c *gin.Context) { c.Status(http.StatusOK) }).Guard(Page()),
			web.Get("/api", who).Guard(User()),
			web.Get("/csrf", func(c *gin.Context, _ web.None) (shownToken, error) { return shownToken{CSRF(c)}, nil }),
		}},
	}
}

var right = map[string]string{"Username": "alice", "Password": rightPassword}

func TestPageSession(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	client := webtest.New(t, pageModules(w.s)...)
	client.Get("/page").Expect(401)
	client.Post("/login", map[string]string{"Username": "alice", "Password": otherPassword}).Expect(401)
	client.Get("/page").Expect(401)

	cookie := client.Post("/login", right).Expect(204).Header("Set-Cookie")
	for _, attribute := range []string{"__Host-session=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(cookie, attribute) {
			t.Errorf("missing %s in %s", attribute, cookie)
		}
	}
	if got := client.Get("/page").Expect(200).JSON(); got["name"] != "alice" {
		t.Errorf("%v", got)
	}
	client.Get("/api").Expect(401) // the cookie is not a token
	second := webtest.New(t, pageModules(w.replica())...).With("Cookie", pair(cookie))
	second.Get("/page").Expect(200)

	renewed := client.Post("/login", right).Expect(204).Header("Set-Cookie")
	if pair(renewed) == pair(cookie) {
		t.Error("the session's id survived a login")
	}
	w.advance(Staleness)
	second.Get("/page").Expect(401) // the previous session was ended
	stolen := client.Fresh().With("Cookie", pair(renewed))
	stolen.Get("/page").Expect(200)
	client.Post("/logout", nil).Expect(204)
	client.Get("/page").Expect(401)
	stolen.Get("/page").Expect(401)
	client.Post("/logout", nil).Expect(204)
}

// TestPageSessionIsNotAToken signs a token that the service would never sign.
func TestPageSessionIsNotAToken(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	client := webtest.New(t, pageModules(w.s)...)
	client.Post("/login", right).Expect(204)
	var session sessionRow
	if err := w.db.Where("kind = ?", kindPage).Take(&session).Error; err != nil {
		t.Fatal(err)
	}
	token, err := w.s.sign(alice.ID, session.ID)
	if err != nil {
		t.Fatal(err)
	}
	client.With("Authorization", "Bearer "+token).Get("/api").Expect(401)
	client.Fresh().With("Cookie", "__Host-session="+w.login(w.s, "alice").RefreshToken).Get("/page").Expect(401)
}

func pair(cookie string) string { first, _, _ := strings.Cut(cookie, ";"); return first }

func TestUnusedPageSessionExpires(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	client := webtest.New(t, pageModules(w.s)...)
	client.Post("/login", right).Expect(204)
	for range 3 {
		w.advance(23 * time.Hour)
		client.Get("/page").Expect(200)
	}
	w.advance(25 * time.Hour)
	client.Get("/page").Expect(401)
}

func TestPlantedSessionIsReplaced(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	planted := "__Host-session=" + secret()
	client := webtest.New(t, pageModules(w.s)...).With("Cookie", planted)
	client.Post("/login", right).Expect(204)
	client.Fresh().With("Cookie", planted).Get("/page").Expect(401)
}

func TestCrossSiteRequestsAreRejected(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	w.s.cfg.Origins = []string{"https://app.example.com"}
	client := webtest.New(t, pageModules(w.s)...)
	client.With("Origin", "https://evil.example").Post("/login", right).Expect(403)
	client.Post("/login", right).Expect(204)
	token := client.Get("/csrf").Expect(200).JSON()["token"].(string)
	const form = "application/x-www-form-urlencoded"

	for _, c := range []struct {
		what   string
		header map[string]string
		body   string
		want   int
	}{
		{"neither header", nil, "", 200},
		{"own origin", map[string]string{"Origin": "http://example.com", "Sec-Fetch-Site": "same-origin"}, "", 200},
		{"typed in", map[string]string{"Sec-Fetch-Site": "none"}, "", 200},
		{"another origin", map[string]string{"Origin": "https://evil.example"}, "", 403},
		{"another port", map[string]string{"Origin": "http://example.com:8080"}, "", 403},
		{"a suffix of ours", map[string]string{"Origin": "http://notexample.com"}, "", 403},
		{"a sandboxed frame", map[string]string{"Origin": "null"}, "", 403},
		{"invalid origin", map[string]string{"Origin": "%%%"}, "", 403},
		{"cross-site", map[string]string{"Sec-Fetch-Site": "cross-site"}, "", 403},
		{"cross-site with own origin", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://example.com"}, "", 403},
		{"another origin, said to be same", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, "", 403},
		{"a sibling", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://blog.example.com"}, "", 403},
		{"a sibling without origin", map[string]string{"Sec-Fetch-Site": "same-site"}, "", 403},
		{"a listed sibling", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://app.example.com"}, "", 200},
		{"a listed sibling, cross-site", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.com"}, "", 403},
		{"an old browser's form", map[string]string{"Content-Type": form}, "a=b", 403},
		{"its large form", map[string]string{"Content-Type": form}, "a=" + strings.Repeat("b", 2*maxForm) + "&csrf_token=" + url.QueryEscape(token), 403},
		{"its multipart form", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, "--x--", 403},
		{"its text form", map[string]string{"Content-Type": "text/plain"}, "a=b", 403},
		{"its form with a wrong token", map[string]string{"Content-Type": form}, "csrf_token=" + token + "x", 403},
		{"its form with the token", map[string]string{"Content-Type": form}, "csrf_token=" + url.QueryEscape(token), 200},
		{"a form of today", map[string]string{"Content-Type": form, "Origin": "http://example.com"}, "a=b", 200},
		{"the token as header", map[string]string{"X-CSRF-Token": token}, "", 200},
		{"a wrong token as header", map[string]string{"X-CSRF-Token": "x", "Origin": "http://example.com"}, "", 403},
	} {
		r := httptest.NewRequest(http.MethodPost, "/page", strings.NewReader(c.body))
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if got := client.Do(r); got.Status != c.want {
			t.Errorf("%s: %d, want %d", c.what, got.Status, c.want)
		}
	}
	client.With("Origin", "https://evil.example").Post("/logout", nil).Expect(403)
	client.Get("/page").Expect(200)

	client.Fresh().Post("/login", right).Expect(204)
	other := webtest.New(t, pageModules(w.s)...)
	other.Post("/login", right).Expect(204)
	other.With("X-CSRF-Token", token).Post("/page", nil).Expect(403) // the token of another session
}

func TestCookieIsSecureExceptInDevelopment(t *testing.T) {
	w := newFixture(t)
	for _, c := range []struct {
		env, forwarded string
		want           bool
	}{
		{"production", "", true}, {"production", "http", true}, {"test", "", true},
		{"development", "", false}, {"development", "https", true},
	} {
		w.s.cfg.Env = c.env
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Forwarded-Proto", c.forwarded)
		if got := w.s.secure(r); got != c.want {
			t.Errorf("%s, forwarded %q: secure %v", c.env, c.forwarded, got)
		}
	}
}
