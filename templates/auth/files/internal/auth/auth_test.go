package auth

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type name struct {
	Username string `json:"username"`
}

// whoami is a route like those of other modules.
func whoami(c *gin.Context, _ web.None) (name, error) {
	who, _ := auth.From(c)
	return name{who.Username}, nil
}

type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Code     string `json:"code,omitempty"`
}

// login returns a new browser with an access token and a refresh cookie.
func (w world) login(in credentials) (client *webtest.Client, cookie string) {
	client = w.api.Fresh()
	answer := client.Post("/api/v1/auth/login", in).Expect(200)
	token := answer.JSON()["access_token"].(string)
	return client.With("Authorization", "Bearer "+token), answer.Header("Set-Cookie")
}

func (w world) alice() (*webtest.Client, string) { return w.login(credentials{"alice", password, ""}) }

// browser is a client that has only the cookie.
func (w world) browser(cookie string) *webtest.Client {
	pair, _, _ := strings.Cut(cookie, ";")
	return w.api.Fresh().With("Cookie", pair)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	answer := w.api.Post("/api/v1/auth/login", credentials{"ALICE", password, ""}).Expect(200)
	body := answer.JSON()
	if body["token_type"] != "bearer" || body["expires_in"] != 1800.0 || len(body) != 3 {
		t.Errorf("answer %v", body)
	}
	if answer.Header("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", answer.Header("Cache-Control"))
	}
	cookie := answer.Header("Set-Cookie")
	for _, attribute := range []string{"refresh_token=", "Path=/api/v1/auth;", "Max-Age=604800", "HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(cookie, attribute) {
			t.Errorf("no %s in the cookie %s", attribute, cookie)
		}
	}
	client, _ := w.alice()
	if got := client.Get("/whoami").Expect(200).JSON(); got["username"] != "alice" {
		t.Errorf("%v", got)
	}
}

func TestLoginsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	w.db.Table("users").Where("id = ?", w.user(t, "gone")).Update("is_active", false)
	for _, in := range []credentials{{"alice", "Wrong-Horse-7", ""}, {"nobody", password, ""}, {"gone", password, ""}} {
		answer := w.api.Post("/api/v1/auth/login", in).Expect(401)
		if got := answer.JSON(); got["error"] != "Invalid credentials" {
			t.Errorf("%+v: %v", in, got)
		}
		if answer.Header("WWW-Authenticate") == "" || answer.Header("Set-Cookie") != "" {
			t.Errorf("%+v: headers %v", in, answer.Headers())
		}
	}
	for _, body := range []any{map[string]string{}, map[string]string{"username": "alice"}, map[string]any{"username": nil, "password": ""}} {
		if details := w.api.Post("/api/v1/auth/login", body).Expect(422).Details(); len(details) == 0 {
			t.Errorf("%v: no details", body)
		}
	}
}

func (w world) user(t *testing.T, username string) int64 {
	t.Helper()
	authtest.Sign(t, w.db, authtest.Account{Username: username, Password: password})
	return authtest.UserID(t, w.db, username)
}

func TestTokensThatDoNotHold(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	token := w.api.Post("/api/v1/auth/login", credentials{"alice", password, ""}).Expect(200).JSON()["access_token"].(string)
	part := strings.Split(token, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	claims, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	edited := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), `"sub":"1"`, `"sub":"2"`, 1)))
	for what, header := range map[string]string{
		"none":             "",
		"rubbish":          "Bearer x",
		"another scheme":   "Basic " + token,
		"alg none":         "Bearer " + none + "." + part[1] + ".",
		"edited claims":    "Bearer " + part[0] + "." + edited + "." + part[2],
		"without its sign": "Bearer " + part[0] + "." + part[1] + ".",
	} {
		if got := w.api.With("Authorization", header).Get("/whoami").Expect(401); got.Header("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", what)
		}
	}
	w.api.Get("/whoami?access_token=" + token + "&token=" + token).Expect(401)
	w.api.With("Authorization", "Bearer "+token).Get("/whoami").Expect(200)
}

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	_, first := w.alice()
	answer := w.browser(first).Post("/api/v1/auth/refresh", nil).Expect(200)
	second := answer.Header("Set-Cookie")
	if second == first || answer.Header("Cache-Control") != "no-store" {
		t.Errorf("cookie %s", second)
	}
	w.api.Fresh().With("Authorization", "Bearer "+answer.JSON()["access_token"].(string)).Get("/whoami").Expect(200)

	retry := w.browser(first).Post("/api/v1/auth/refresh", nil).Expect(200)
	if strings.Split(retry.Header("Set-Cookie"), ";")[0] != strings.Split(second, ";")[0] {
		t.Error("a retry got another successor")
	}
	w.api.Fresh().Post("/api/v1/auth/refresh", nil).Expect(401)
	w.browser("refresh_token=x").Post("/api/v1/auth/refresh", nil).Expect(401)
}

func TestReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	other, _ := w.alice()
	client, first := w.alice()
	second := w.browser(first).Post("/api/v1/auth/refresh", nil).Expect(200).Header("Set-Cookie")
	third := w.browser(second).Post("/api/v1/auth/refresh", nil).Expect(200).Header("Set-Cookie")
	client.Get("/whoami").Expect(200)

	w.browser(first).Post("/api/v1/auth/refresh", nil).Expect(401)
	client.Get("/whoami").Expect(401)
	w.browser(third).Post("/api/v1/auth/refresh", nil).Expect(401)
	other.Get("/whoami").Expect(200)
}

func TestTenRefreshesAtOnceGetOneSuccessor(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	_, cookie := w.alice()
	var (
		wg  sync.WaitGroup
		got [10]string
	)
	for i := range got {
		client := w.browser(cookie)
		wg.Go(func() {
			answer := client.Post("/api/v1/auth/refresh", nil)
			pair, _, _ := strings.Cut(answer.Header("Set-Cookie"), ";")
			got[i] = fmt.Sprint(answer.Status, pair)
		})
	}
	wg.Wait()
	for _, one := range got {
		if one != got[0] || !strings.HasPrefix(one, "200") {
			t.Errorf("%s and %s", one, got[0])
		}
	}
}

func TestAnotherSiteCannotUseTheCookie(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	_, cookie := w.alice()
	for _, header := range [][2]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	} {
		for _, path := range []string{"/api/v1/auth/refresh", "/api/v1/auth/logout"} {
			w.browser(cookie).With(header[0], header[1]).Post(path, nil).Expect(403)
		}
	}
	own := httptest.NewRequest(http.MethodPost, "/api/v1/auth/refresh", nil)
	own.Header.Set("Cookie", strings.Split(cookie, ";")[0])
	own.Header.Set("Origin", "https://"+own.Host)
	own.Header.Set("Sec-Fetch-Site", "same-origin")
	w.api.Fresh().Do(own).Expect(200)
}

func TestRefreshTokenInTheBody(t *testing.T) {
	t.Parallel()
	cfg := authtest.Config()
	cfg.Refresh = "body"
	w := start(t, cfg)
	answer := w.api.Post("/api/v1/auth/login", credentials{"alice", password, ""}).Expect(200)
	if answer.Header("Set-Cookie") != "" {
		t.Error("a cookie all the same")
	}
	token := answer.JSON()["refresh_token"].(string)
	next := w.api.Post("/api/v1/auth/refresh", map[string]string{"refresh_token": token}).Expect(200).JSON()
	if next["refresh_token"] == token || next["refresh_token"] == nil {
		t.Errorf("%v", next)
	}
	w.api.Post("/api/v1/auth/refresh", map[string]string{}).Expect(422)
	w.browser("refresh_token="+next["refresh_token"].(string)).Post("/api/v1/auth/refresh", map[string]string{"refresh_token": "x"}).Expect(401)

	w.api.Post("/api/v1/auth/logout", nil).Expect(401)
	w.api.Post("/api/v1/auth/logout", map[string]string{"refresh_token": next["refresh_token"].(string)}).Expect(204)
	w.api.Post("/api/v1/auth/refresh", map[string]any{"refresh_token": next["refresh_token"]}).Expect(401)
}

func TestLogout(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	other, _ := w.alice()
	client, cookie := w.alice()
	if got := client.Post("/api/v1/auth/logout", nil).Expect(204).Header("Set-Cookie"); !strings.Contains(got, "Max-Age=0") || !strings.Contains(got, "Path=/api/v1/auth;") {
		t.Errorf("cookie %q", got)
	}
	client.Get("/whoami").Expect(401)
	w.browser(cookie).Post("/api/v1/auth/refresh", nil).Expect(401)
	client.Post("/api/v1/auth/logout", nil).Expect(401)
	other.Get("/whoami").Expect(200)

	client, cookie = w.alice() // with the cookie alone, as when the access token has expired
	w.browser(cookie).Post("/api/v1/auth/logout", nil).Expect(204)
	client.Get("/whoami").Expect(401)
}

// Anyone can log out, even without the second factor that the role requires.
func TestLogoutWithoutARequiredFactor(t *testing.T) {
	t.Parallel()
	cfg := authtest.Config()
	cfg.Factor = []string{"user"}
	w := start(t, cfg)
	token, _ := w.api.Fresh().Post("/api/v1/auth/login", credentials{"alice", password, ""}).Expect(200).JSON()["access_token"].(string)
	client := w.api.Fresh().With("Authorization", "Bearer "+token) // without the cookie
	client.Get("/whoami").Expect(403)
	client.Post("/api/v1/auth/logout", nil).Expect(204)
	client.Get("/whoami").Expect(401)
	client.Post("/api/v1/auth/logout", nil).Expect(401)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	w.user(t, "bob")
	bob, _ := w.login(credentials{"bob", password, ""})
	one, _ := w.alice()
	two, _ := w.alice()
	var list items[auth.SessionInfo]
	answer := one.Get("/api/v1/auth/sessions").Expect(200)
	if answer.Into(&list); answer.Header("Cache-Control") != "no-store" || answer.Header("ETag") != "" {
		t.Error("the list of sessions may be stored")
	}
	other := ""
	for _, s := range list.Items {
		if !s.Current {
			other = s.ID
			bob.Delete("/api/v1/auth/sessions/" + s.ID).Expect(404)
		}
	}
	if len(list.Items) != 3 { // the first was created with the user
		t.Errorf("%d sessions", len(list.Items))
	}
	for _, s := range list.Items {
		if !s.Current {
			one.Delete("/api/v1/auth/sessions/" + s.ID).Expect(204)
		}
	}
	one.Delete("/api/v1/auth/sessions/" + other).Expect(404)
	two.Get("/whoami").Expect(401)
	one.Get("/whoami").Expect(200)
	w.api.Fresh().Get("/api/v1/auth/sessions").Expect(401)

	again, cookie := w.alice()
	gone := one.Delete("/api/v1/auth/sessions").Expect(204)
	if !strings.Contains(gone.Header("Set-Cookie"), "refresh_token=;") {
		t.Errorf("the cookie stays: %v", gone.Headers())
	}
	for _, client := range []*webtest.Client{one, again} {
		client.Get("/whoami").Expect(401)
	}
	w.browser(cookie).Post("/api/v1/auth/refresh", nil).Expect(401)
	bob.Get("/whoami").Expect(200)
}

func TestTenWrongPasswordsLockTheAccount(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	for _, name := range []string{"alice", "nobody"} {
		for range 10 {
			w.api.Post("/api/v1/auth/login", credentials{name, "Wrong-Horse-7", ""}).Expect(401)
		}
		locked := w.api.Post("/api/v1/auth/login", credentials{name, password, ""}).Expect(429)
		if locked.Header("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
}

func TestThirtyWrongPasswordsLockTheAddress(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	for i := range 30 { // whatever address it claims to have
		forged := w.api.With("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)).With("X-Real-Ip", fmt.Sprintf("203.0.113.%d", i))
		forged.Post("/api/v1/auth/login", credentials{fmt.Sprintf("name%d", i), "Wrong-Horse-7", ""}).Expect(401)
	}
	w.api.With("X-Forwarded-For", "203.0.113.99").Post("/api/v1/auth/login", credentials{"alice", password, ""}).Expect(429)
}

func TestConfirmPassword(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	client, _ := w.alice()
	client.Post("/api/v1/auth/confirm-password", map[string]string{"password": password}).Expect(204)
	client.Post("/api/v1/auth/confirm-password", map[string]string{"password": "Wrong-Horse-7"}).Expect(400)
	w.api.Fresh().Post("/api/v1/auth/confirm-password", map[string]string{"password": password}).Expect(401)
}

func TestWeakSecretStopsProduction(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "short", "change-me-change-me-change-me-change-me"} {
		if err := (auth.Config{Env: "production", Secret: secret}).Validate(); err == nil {
			t.Errorf("%q is accepted", secret)
		}
	}
}
