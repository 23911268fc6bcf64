package oidc

import (
	"testing"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/auth/oidc"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/auth/files/internal/migrations"
)

// start mounts the module with a provider at an address where nothing listens.
func start(t *testing.T) *webtest.Client {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	known, token := authtest.Sign(t, gdb, authtest.Account{Username: "alice"})
	module := Module(oidc.Config{Issuer: "http://127.0.0.1:1", ClientID: "app", ClientSecret: "secret"})
	return webtest.New(t, known, module.Under("/api/v1")).With("Authorization", "Bearer "+token)
}

func TestAProviderThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	client := start(t)
	client.Get("/api/v1/auth/oidc/begin").Expect(503)
	client.Get("/api/v1/auth/oidc/begin?return_to=//evil.example").Expect(422)
	client.Get("/api/v1/auth/oidc/begin?for=anything").Expect(422)
}

func TestNobodyLogsInWithoutTheProvider(t *testing.T) {
	t.Parallel()
	client := start(t)
	client.Get("/api/v1/auth/oidc/callback?code=x&state=").Expect(400)
	client.Post("/api/v1/auth/oidc-login", map[string]string{}).Expect(400)
	client.Post("/api/v1/auth/oidc-confirm", map[string]string{}).Expect(400)
	client.Post("/api/v1/auth/oidc/logins", nil).Expect(400)
	client.Delete("/api/v1/auth/oidc/logins/1").Expect(404)
	list := client.Get("/api/v1/auth/oidc/logins").Expect(200)
	if got := list.JSON()["items"].([]any); len(got) != 0 || list.Header("Cache-Control") != "no-store" {
		t.Errorf("%v, %s", got, list.Header("Cache-Control"))
	}
	client.Fresh().Get("/api/v1/auth/oidc/logins").Expect(401)
}

func TestHalfAConfigurationStopsTheStart(t *testing.T) {
	t.Parallel()
	for _, cfg := range []oidc.Config{
		{Issuer: "https://accounts.example.com"},
		{Issuer: "http://accounts.example.com", ClientID: "app", ClientSecret: "secret"},
	} {
		if Module(cfg).Err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
	if err := Module(oidc.Config{}).Err; err != nil {
		t.Error(err)
	}
}
