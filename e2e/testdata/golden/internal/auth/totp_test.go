package auth

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
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
	w.alice() // not on yet
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
	client.Post("/api/v1/auth/totp/recovery-codes", nil).Expect(201)
	if got := login(recovery[1].(string)); got != 401 {
		t.Errorf("a replaced recovery code: %d", got)
	}
	client.Delete("/api/v1/auth/totp").Expect(204)
	client.Delete("/api/v1/auth/totp").Expect(404)
	w.alice()
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
