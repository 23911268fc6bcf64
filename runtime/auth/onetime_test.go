package auth

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (w *world) letter(make func(w *world) (Letter, bool, error)) Letter {
	w.t.Helper()
	l, ok, err := make(w)
	if err != nil || !ok {
		w.t.Fatalf("no letter: %v", err)
	}
	return l
}

func reset(email string) func(*world) (Letter, bool, error) {
	return func(w *world) (Letter, bool, error) { return w.s.ResetLetter(w.t.Context(), email) }
}

func confirm(email string) func(*world) (Letter, bool, error) {
	return func(w *world) (Letter, bool, error) { return w.s.ConfirmLetter(w.t.Context(), email) }
}

func TestResetPassword(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	w.wrong(w.s, "alice", accountTries)
	first, second := w.letter(reset("ALICE@example.com")), w.letter(reset("alice@example.com"))
	if first.Link != "http://localhost:8000/reset-password#token="+first.Token || first.Email != "alice@example.com" || first.Username != "alice" {
		t.Errorf("%+v", first)
	}
	var row oneTimeRow
	if w.db.Where("hash = ?", first.Token).Limit(1).Find(&row); row.Hash != "" {
		t.Error("the token is stored as it is")
	}
	wantStatus(t, "a weak password", w.s.ResetPassword(t.Context(), first.Token, "password", "Alice1234"), 422)
	for _, token := range []string{"", "x", g.RefreshToken, first.Token + "A"} {
		wantStatus(t, "the token "+token, w.s.ResetPassword(t.Context(), token, "password", otherPassword), 400)
	}
	wantStatus(t, "a reset token as confirmation", w.s.ConfirmEmail(t.Context(), first.Token), 400)

	w.endsEverywhere(g, func() error { return w.s.ResetPassword(t.Context(), first.Token, "password", otherPassword) })
	wantStatus(t, "used again", w.s.ResetPassword(t.Context(), first.Token, "password", rightPassword), 400)
	wantStatus(t, "the other letter", w.s.ResetPassword(t.Context(), second.Token, "password", rightPassword), 400)
	_, err := w.s.Login(t.Context(), here, Credentials{Username: "alice", Password: otherPassword})
	wantStatus(t, "the new password, also on a locked account", err, 0)
}

// TestResetOfAnAddressThatWasChanged: whoever reads the old mailbox must not
// get into the account that has left it.
func TestResetOfAnAddressThatWasChanged(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	stale := w.letter(reset("alice@example.com"))
	w.set(alice, "email", "new@example.com")
	wantStatus(t, "a letter to the old address", w.s.ResetPassword(t.Context(), stale.Token, "password", otherPassword), 400)
	wantStatus(t, "one to the new", w.s.ResetPassword(t.Context(), w.letter(reset("new@example.com")).Token, "password", otherPassword), 0)
}

func TestOneLetterIsOneReset(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	l := w.letter(reset("alice@example.com"))
	replicas := []*Service{w.s, w.replica()}
	var (
		wg   sync.WaitGroup
		done atomic.Int32
	)
	for i := range 6 {
		wg.Go(func() {
			if replicas[i%2].ResetPassword(t.Context(), l.Token, "password", otherPassword) == nil {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("%d resets with one letter", done.Load())
	}
}

func TestLettersThatAreNotSent(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	w.set(w.user("gone"), "is_active", false)
	for _, email := range []string{"", "nobody@example.com", "gone@example.com", "%", "alice"} {
		for name, make := range map[string]func(*world) (Letter, bool, error){"reset": reset(email), "confirm": confirm(email)} {
			if _, ok, err := make(w); ok || err != nil {
				t.Errorf("%s for %q: %v, %v", name, email, ok, err)
			}
		}
	}
	for range mailTries + 2 {
		l := w.letter(reset("alice@example.com"))
		if err := w.s.Withdraw(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "a letter that was withdrawn", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
	}
	for range mailTries {
		w.letter(reset("alice@example.com"))
	}
	if _, ok, err := reset("alice@example.com")(w); ok || err != nil {
		t.Errorf("one letter too many: %v, %v", ok, err)
	}
	w.pass(15*time.Minute + time.Second)
	w.letter(reset("alice@example.com"))
}

func TestLettersEnd(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	l, c := w.letter(reset("alice@example.com")), w.letter(confirm("alice@example.com"))
	w.pass(resetFor)
	wantStatus(t, "after an hour", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
	w.pass(confirmFor)
	wantStatus(t, "after a day", w.s.ConfirmEmail(t.Context(), c.Token), 400)
}

func TestConfirmEmail(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	stale := w.letter(confirm("alice@example.com"))
	w.set(alice, "email", "new@example.com")
	wantStatus(t, "for an address that was changed", w.s.ConfirmEmail(t.Context(), stale.Token), 400)
	l := w.letter(confirm("new@example.com"))
	wantStatus(t, "a confirmation as reset", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
	wantStatus(t, "the letter", w.s.ConfirmEmail(t.Context(), l.Token), 0)
	wantStatus(t, "the letter again", w.s.ConfirmEmail(t.Context(), l.Token), 400)
	var row userRow
	if w.db.Take(&row); row.EmailConfirmedAt == nil {
		t.Error("not confirmed")
	}
	if _, ok, err := confirm("new@example.com")(w); ok || err != nil {
		t.Errorf("a letter to a confirmed address: %v, %v", ok, err)
	}
}
