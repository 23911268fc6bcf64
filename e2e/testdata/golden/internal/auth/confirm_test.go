package auth

import (
	"testing"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
)

func TestConfirmEmail(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	for _, email := range []string{"alice@example.com", "nobody@example.com"} {
		w.api.Post("/api/v1/auth/send-confirmation", map[string]string{"email": email}).Expect(202)
	}
	w.settled(t)
	tokens := w.mails(t, 1)
	if len(tokens) != 1 {
		t.Fatalf("%d mails, want one", len(tokens))
	}
	w.api.Post("/api/v1/auth/confirm-email", map[string]string{"token": "x"}).Expect(400)
	w.api.Post("/api/v1/auth/confirm-email", map[string]string{"token": tokens[0]}).Expect(200)
	w.api.Post("/api/v1/auth/confirm-email", map[string]string{"token": tokens[0]}).Expect(400)
	var confirmed int64
	w.db.Table("users").Where("email_confirmed_at IS NOT NULL").Count(&confirmed)
	if confirmed != 1 {
		t.Errorf("%d addresses confirmed", confirmed)
	}
	w.api.Post("/api/v1/auth/send-confirmation", map[string]string{"email": "alice@example.com"}).Expect(202)
	w.settled(t)
	if got := len(w.mails(t, 1)); got != 1 {
		t.Errorf("%d mails after the confirmation", got)
	}
}
