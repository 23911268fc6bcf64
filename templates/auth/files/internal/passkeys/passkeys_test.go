package passkeys

import (
	"testing"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/auth/files/internal/migrations"
)

func start(t *testing.T) *webtest.Client {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	known, token := authtest.Sign(t, gdb, authtest.Account{Username: "alice"})
	return webtest.New(t, known, Module(authtest.Config()).Under("/api/v1")).With("Authorization", "Bearer "+token)
}

func TestNobodyLogsInWithoutAPasskey(t *testing.T) {
	t.Parallel()
	client := start(t)
	rubbish := map[string]any{"credential": map[string]string{"id": "x"}}
	client.Post("/api/v1/auth/passkey-login", rubbish).Expect(400) // no login was started
	begun := client.Post("/api/v1/auth/passkeys/challenge", nil).Expect(200).JSON()["publicKey"].(map[string]any)
	if begun["userVerification"] != "required" || begun["challenge"] == "" || begun["allowCredentials"] != nil {
		t.Errorf("%v", begun)
	}
	client.Post("/api/v1/auth/passkey-login", rubbish).Expect(400)
	client.Post("/api/v1/auth/passkey-confirm", rubbish).Expect(400)
}

func TestPasskeysNeedALogin(t *testing.T) {
	t.Parallel()
	client := start(t)
	client.Post("/api/v1/auth/passkeys/options", nil).Expect(200)
	client.Post("/api/v1/auth/passkeys", map[string]any{"name": "phone", "credential": map[string]string{"id": "x"}}).Expect(400)
	client.Patch("/api/v1/auth/passkeys/1", map[string]string{"name": "phone"}).Expect(404)
	client.Delete("/api/v1/auth/passkeys/1").Expect(404)
	list := client.Get("/api/v1/auth/passkeys").Expect(200)
	if got := list.JSON()["items"].([]any); len(got) != 0 || list.Header("Cache-Control") != "no-store" {
		t.Errorf("%v, %s", got, list.Header("Cache-Control"))
	}
	for _, path := range []string{"/api/v1/auth/passkeys", "/api/v1/auth/passkeys/options", "/api/v1/auth/passkey-confirm"} {
		client.Fresh().Post(path, nil).Expect(401)
	}
}
