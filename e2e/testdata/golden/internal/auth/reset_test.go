package auth

import (
	"testing"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
)

func TestResetPassword(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	client, _ := w.alice()
	known := w.api.Post("/api/v1/auth/forgot-password", map[string]string{"email": "Alice@Example.com"}).Expect(202)
	unknown := w.api.Post("/api/v1/auth/forgot-password", map[string]string{"email": "nobody@example.com"}).Expect(202)
	if string(known.Body()) != string(unknown.Body()) {
		t.Errorf("the answers differ: %s, %s", known.Body(), unknown.Body())
	}
	w.api.Post("/api/v1/auth/forgot-password", map[string]string{"email": "no address"}).Expect(422)
	w.settled(t)
	tokens := w.mails(t, 1)
	if len(tokens) != 1 {
		t.Fatalf("%d mails, want one", len(tokens))
	}
	var payloads []string
	w.db.Table("jobs").Pluck("payload", &payloads)
	for _, payload := range payloads {
		if tokenInMail.MatchString(payload) {
			t.Error("a job holds the token")
		}
	}

	reset := func(token, password string) map[string]string {
		return map[string]string{"token": token, "password": password}
	}
	w.api.Post("/api/v1/auth/reset-password", reset("x", "Different-Horse-8")).Expect(400)
	if got := w.api.Post("/api/v1/auth/reset-password", reset("", "weak")).Expect(422).Details(); len(got) != 4 || got[0].Field != "token" {
		t.Errorf("not all at once: %v", got)
	}
	if got := w.api.Post("/api/v1/auth/reset-password", reset(tokens[0], "weak")).Expect(422).Details(); len(got) != 3 {
		t.Errorf("%v", got)
	}
	w.api.Post("/api/v1/auth/reset-password", reset(tokens[0], "Different-Horse-8")).Expect(200)
	w.api.Post("/api/v1/auth/reset-password", reset(tokens[0], "Different-Horse-9")).Expect(400)
	client.Get("/whoami").Expect(401)
	w.api.Post("/api/v1/auth/login", credentials{"alice", password, ""}).Expect(401)
	w.login(credentials{"alice", "Different-Horse-8", ""})
}
