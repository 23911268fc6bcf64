package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	w.user(t, "bob")
	client, _ := w.alice()
	bob, _ := w.login(credentials{"bob", password, ""})
	var made auth.NewAPIKey
	answer := client.Post("/api/v1/auth/keys", map[string]any{"name": "ci", "scopes": []string{"read"}, "expires_at": time.Now().Add(time.Hour)}).Expect(201)
	answer.Into(&made)
	if answer.Header("Cache-Control") != "no-store" || !strings.HasPrefix(made.Key, made.Prefix) {
		t.Errorf("%+v", made)
	}
	key := w.api.Fresh().With("X-API-Key", made.Key)
	if got := key.Get("/whoami").Expect(200).JSON(); got["username"] != "alice" {
		t.Errorf("%v", got)
	}
	w.api.Fresh().With("X-API-Key", made.Key[:len(made.Key)-1]).Get("/whoami").Expect(401)
	w.api.Fresh().Get("/whoami?api_key=" + made.Key).Expect(401)
	// A key cannot manage the account it belongs to.
	for _, path := range []string{"/api/v1/auth/keys", "/api/v1/auth/sessions"} {
		key.Get(path).Expect(403)
	}
	key.Post("/api/v1/auth/keys", map[string]any{"name": "more"}).Expect(403)

	list := client.Get("/api/v1/auth/keys").Expect(200)
	if strings.Contains(string(list.Body()), made.Key) || list.Header("Cache-Control") != "no-store" {
		t.Error("the list shows the key, or may be stored")
	}
	path := fmt.Sprintf("/api/v1/auth/keys/%d", made.ID)
	bob.Delete(path).Expect(404)
	client.Delete(path).Expect(204)
	client.Delete(path).Expect(404)
	key.Get("/whoami").Expect(401)
}

func TestAPIKeysThatAreNotMade(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	client, _ := w.alice()
	for what, body := range map[string]map[string]any{
		"no name":   {},
		"blank":     {"name": " "},
		"bad scope": {"name": "x", "scopes": []string{"everything"}},
		"past":      {"name": "x", "expires_at": time.Now().Add(-time.Hour)},
	} {
		if got := client.Post("/api/v1/auth/keys", body).Expect(422).Details(); len(got) != 1 {
			t.Errorf("%s: %v", what, got)
		}
	}
	w.api.Fresh().Post("/api/v1/auth/keys", map[string]any{"name": "x"}).Expect(401)
}
