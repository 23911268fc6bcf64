package auth

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/webtest"
)

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	client, _ := w.alice()
	w.api.Fresh().Post("/api/v1/auth/totp", nil).Expect(401)
	secret := client.Post("/api/v1/auth/totp", nil).Expect(201).JSON()["secret"].(string)
	code := func(at time.Time) string {
		code, err := totp.GenerateCode(secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	client.Post("/api/v1/auth/totp/confirm", map[string]string{"code": "12345"}).Expect(422)
	client.Post("/api/v1/auth/totp/confirm", map[string]string{"code": code(time.Now().Add(-time.Hour))}).Expect(422)
	w.alice() // not enabled yet
	answer := client.Post("/api/v1/auth/totp/confirm", map[string]string{"code": code(time.Now())}).Expect(200)
	if answer.Header("Cache-Control") != "no-store" {
		t.Error("recovery codes may be cached")
	}
	recovery := answer.JSON()["recovery_codes"].([]any)
	client.Post("/api/v1/auth/totp", nil).Expect(409)

	login := func(code string) int {
		return w.api.Fresh().Post("/api/v1/auth/login", credentials{"alice", password, code}).Status
	}
	for what, code := range map[string]string{"no code": "", "a wrong one": "000000", "the one that confirmed": code(time.Now())} {
		if got := login(code); got != 401 {
			t.Errorf("%s: %d", what, got)
		}
	}
	next := code(time.Now().Add(30 * time.Second)) // clocks may differ by a step
	if got := login(next); got != 200 {
		t.Errorf("the next code: %d", got)
	}
	if got := login(next); got != 401 {
		t.Errorf("the same code again: %d", got)
	}
	spare := recovery[0].(string)
	if first, again := login(spare), login(spare); first != 200 || again != 401 {
		t.Errorf("a recovery code: %d, then %d", first, again)
	}
	spares := client.Post("/api/v1/auth/totp/recovery-codes", nil).Expect(201).JSON()["recovery_codes"].([]any)
	if got := login(recovery[1].(string)); got != 401 {
		t.Errorf("a replaced recovery code: %d", got)
	}
	// Long after the login, the password alone does not disable it.
	client, _ = w.login(credentials{"alice", password, spares[1].(string)})
	w.db.Table("auth_sessions").Where("1 = 1").Update("confirmed_at", 0)
	client.Delete("/api/v1/auth/totp").Expect(403)
	again := func(password, code string) *webtest.Answer {
		return client.Post("/api/v1/auth/confirm-password", map[string]string{"password": password, "code": code})
	}
	if got := again(password, "").Expect(422).Details(); got[0].Field != "code" {
		t.Errorf("%v", got)
	}
	again(password, "000000").Expect(400)
	again("Wrong-Horse-7", spares[0].(string)).Expect(400)
	client.Delete("/api/v1/auth/totp").Expect(403)
	again(password, spares[0].(string)).Expect(204)
	client.Delete("/api/v1/auth/totp").Expect(204)
	client.Delete("/api/v1/auth/totp").Expect(404)
	w.alice()
}

// An administrator without a second factor can do nothing but set one up.
func TestSecondFactorThatARoleRequires(t *testing.T) {
	t.Parallel()
	cfg := authtest.Config()
	cfg.Factor = []string{"admin"}
	w := start(t, cfg)
	authtest.Sign(t, w.db, authtest.Account{Username: "root", Role: "admin", Password: password})
	client, _ := w.login(credentials{"root", password, ""})
	for _, path := range []string{"/whoami", "/api/v1/auth/sessions"} {
		if got := client.Get(path).Expect(403).Details(); len(got) != 1 || got[0].Field != "factor" {
			t.Errorf("%s: %v", path, got)
		}
	}
	client.Delete("/api/v1/auth/totp").Expect(403)
	client.Post("/api/v1/auth/confirm-password", map[string]string{"password": password}).Expect(204)
	secret := client.Post("/api/v1/auth/totp", nil).Expect(201).JSON()["secret"].(string)
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	client.Post("/api/v1/auth/totp/confirm", map[string]string{"code": code}).Expect(200)
	client.Get("/whoami").Expect(200)
	alice, _ := w.alice()
	alice.Get("/whoami").Expect(200)
}

func TestSecondFactorWantsAFreshPassword(t *testing.T) {
	t.Parallel()
	cfg := authtest.Config()
	cfg.FreshFor = time.Second
	w := start(t, cfg)
	client, _ := w.alice()
	past := time.Now().Add(-time.Minute).UnixMilli()
	w.db.Table("auth_sessions").Where("1 = 1").Update("confirmed_at", past)
	client.Post("/api/v1/auth/totp", nil).Expect(403)
	client.Post("/api/v1/auth/confirm-password", map[string]string{"password": password}).Expect(204)
	client.Post("/api/v1/auth/totp", nil).Expect(201)
}
