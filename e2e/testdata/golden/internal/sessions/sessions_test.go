package sessions

import (
	"strings"
	"testing"

	"blog/internal/migrations"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/webtest"
)

const password = "Correct-Horse-7"

func start(t *testing.T) *webtest.Client {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	known, _ := authtest.Sign(t, gdb, authtest.Account{Username: "alice", Password: password})
	return webtest.New(t, known, Module())
}

func credentials(password string) map[string]string {
	return map[string]string{"username": "alice", "password": password}
}

func TestPageSession(t *testing.T) {
	t.Parallel()
	client := start(t)
	refused := client.Get("/protected").Expect(401)
	if refused.JSON()["error"] != "Not authenticated" || refused.Header("WWW-Authenticate") == "" {
		t.Errorf("%s", refused.Body())
	}
	client.Post("/session/login", credentials("Wrong-Horse-7")).Expect(401)
	client.Post("/session/login", map[string]string{}).Expect(422)
	first := client.Post("/session/login", credentials(password)).Expect(200)
	for _, attribute := range []string{"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(first.Header("Set-Cookie"), attribute) {
			t.Errorf("no %s in %s", attribute, first.Header("Set-Cookie"))
		}
	}
	if got := client.Get("/protected").Expect(200).JSON(); got["message"] != "Hello, alice!" {
		t.Errorf("%v", got)
	}
	second := client.Post("/session/login", credentials(password)).Expect(200)
	if pair(second) == pair(first) {
		t.Error("the session's id survived a login")
	}
	client.Fresh().With("Cookie", pair(first)).Get("/protected").Expect(401)
	client.Post("/session/logout", nil).Expect(200)
	client.Fresh().With("Cookie", pair(second)).Get("/protected").Expect(401)
}

func pair(answer *webtest.Answer) string {
	first, _, _ := strings.Cut(answer.Header("Set-Cookie"), ";")
	return first
}

func TestAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	client := start(t)
	client.With("Origin", "https://evil.example").Post("/session/login", credentials(password)).Expect(403)
	token := client.Post("/session/login", credentials(password)).Expect(200).JSON()["csrf_token"].(string)
	for _, header := range [][2]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"X-CSRF-Token", "x"}} {
		client.With(header[0], header[1]).Post("/session/logout", nil).Expect(403)
	}
	form := client.With("Content-Type", "application/x-www-form-urlencoded")
	form.Post("/session/logout", "a=b").Expect(403)
	client.Get("/protected").Expect(200)
	form.Post("/session/logout", "csrf_token="+token).Expect(200)
	client.Get("/protected").Expect(401)
}
