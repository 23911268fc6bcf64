package auth

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"
)

func (w *fixture) letter(make func(w *fixture) (Letter, bool, error)) Letter {
	w.t.Helper()
	l, ok, err := make(w)
	if err != nil || !ok {
		w.t.Fatalf("no letter: %v", err)
	}
	return l
}

func reset(email string) func(*fixture) (Letter, bool, error) {
	return func(w *fixture) (Letter, bool, error) { return w.s.ResetLetter(w.t.Context(), email) }
}

func confirm(email string) func(*fixture) (Letter, bool, error) {
	return func(w *fixture) (Letter, bool, error) { return w.s.ConfirmLetter(w.t.Context(), email) }
}

func TestResetPassword(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	w.failLogins(w.s, "alice", accountTries)
	first, second := w.letter(reset("ALICE@example.com")), w.letter(reset("alice@example.com"))
	if first.Link != "http://localhost:8000/reset-password#token="+first.Token || first.Email != "alice@example.com" || first.Username != "alice" {
		t.Errorf("%+v", first)
	}
	var row oneTimeRow
	if w.db.Where("hash = ?", first.Token).Limit(1).Find(&row); row.Hash != "" {
		t.Error("the token is stored in plain text")
	}
	wantStatus(t, "a weak password", w.s.ResetPassword(t.Context(), first.Token, "password", "Alice1234"), 422)
	for _, token := range []string{"", "x", g.RefreshToken, first.Token + "A"} {
		wantStatus(t, "the token "+token, w.s.ResetPassword(t.Context(), token, "password", otherPassword), 400)
	}
	wantStatus(t, "a reset token as confirmation", w.s.ConfirmEmail(t.Context(), first.Token), 400)

	w.endsEverywhere(g, func() error { return w.s.ResetPassword(t.Context(), first.Token, "password", otherPassword) })
	wantStatus(t, "a used token", w.s.ResetPassword(t.Context(), first.Token, "password", rightPassword), 400)
	wantStatus(t, "the other letter after the reset", w.s.ResetPassword(t.Context(), second.Token, "password", rightPassword), 400)
	_, err := w.s.Login(t.Context(), here, Credentials{Username: "alice", Password: otherPassword})
	wantStatus(t, "the new password on a locked account", err, 0)
}

// TestResetOfChangedAddress checks that a reader of the old mailbox cannot get
// into the account.
func TestResetOfChangedAddress(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	stale := w.letter(reset("alice@example.com"))
	w.set(alice, "email", "new@example.com")
	wantStatus(t, "a letter to the old address", w.s.ResetPassword(t.Context(), stale.Token, "password", otherPassword), 400)
	wantStatus(t, "a letter to the new address", w.s.ResetPassword(t.Context(), w.letter(reset("new@example.com")).Token, "password", otherPassword), 0)
}

// Access that was left behind by someone who knew the password, or who registered with
// another person's address, ends when the owner resets it. A passkey that a role
// requires is kept: the mailbox alone would otherwise be enough to enrol another.
func TestResetRevokesAllAccess(t *testing.T) {
	for _, tt := range []struct {
		confirmed bool
		required  []string
		ways      int64
		removed   string
	}{
		{false, nil, 1, "all passkeys and logins at providers"},
		{true, nil, 1, "all passkeys and logins at providers"},
		{true, []string{RoleAdmin}, 1, "all passkeys and logins at providers"},
		{true, []string{"user"}, 2, "all logins at providers"},
	} {
		w := newFixture(t)
		alice := w.user("alice")
		notices := w.notices()
		if tt.confirmed {
			w.set(alice, "email_confirmed_at", w.now)
		}
		id := w.identity(w.s, w.login(w.s, "alice"))
		if err := w.s.Link(t.Context(), id, Person{Issuer: "https://id.example.com", Subject: "mallory"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.AddPasskey(t.Context(), id, Proof{UserID: id.UserID, Method: "passkey", ID: "x"}, "mine", Credential{UserID: id.UserID, ID: []byte("mine")}); err != nil {
			t.Fatal(err)
		}
		*notices = nil
		w.s.cfg.Factor = tt.required
		wantStatus(t, "the reset", w.s.ResetPassword(t.Context(), w.letter(reset("alice@example.com")).Token, "password", otherPassword), 0)
		var now account
		w.db.Take(&now, alice.ID)
		if ways, err := loginMethods(w.db, now); err != nil || ways != tt.ways {
			t.Errorf("%+v: %d login methods, %v", tt, ways, err)
		}
		if !slices.Contains(*notices, "login_removed>alice@example.com:"+tt.removed) {
			t.Errorf("notices: %v", *notices)
		}
	}
}

// TestResetOfAddressEnteredByOthers checks that a user who entered an address and
// changed it again does not prevent the user who confirms it from resetting the
// password.
func TestResetOfAddressEnteredByOthers(t *testing.T) {
	w := newFixture(t)
	w.s.HoldEmails(func(*gorm.DB, string) error { return nil })
	squatter := w.user("squatter")
	w.set(squatter, "email", "else@example.com")
	if err := w.s.EmailChanged(w.db, squatter.ID, "alice@example.com"); err != nil {
		t.Fatal(err)
	}
	alice := w.user("alicia") // an older version allowed her to register it
	if err := w.db.Exec("UPDATE users SET email = ?, email_folded = ? WHERE id = ?", "alice@example.com", "alice@example.com", alice.ID).Error; err != nil {
		t.Fatal(err)
	}
	if l := w.letter(reset("alice@example.com")); l.UserID != squatter.ID {
		t.Errorf("before the confirmation the letter is for %s", l.Username)
	}
	w.set(alice, "email_confirmed_at", w.now)
	l := w.letter(reset("Alice@example.com"))
	if l.UserID != alice.ID || l.Email != "alice@example.com" {
		t.Errorf("the letter is for %s at %s", l.Username, l.Email)
	}
	wantStatus(t, "the reset", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 0)
}

func TestLetterIsValidForOneReset(t *testing.T) {
	w := newFixture(t)
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
		t.Errorf("%d resets with the same letter", done.Load())
	}
}

func TestUnsentLetters(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	w.set(w.user("gone"), "is_active", false)
	for _, email := range []string{"", "nobody@example.com", "gone@example.com", "%", "alice"} {
		for name, make := range map[string]func(*fixture) (Letter, bool, error){"reset": reset(email), "confirm": confirm(email)} {
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
		wantStatus(t, "a withdrawn letter", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
	}
	for range mailTries {
		w.letter(reset("alice@example.com"))
	}
	if _, ok, err := reset("alice@example.com")(w); ok || err != nil {
		t.Errorf("one letter too many: %v, %v", ok, err)
	}
	w.advance(15*time.Minute + time.Second)
	w.letter(reset("alice@example.com"))
}

func TestLettersExpire(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	l, c := w.letter(reset("alice@example.com")), w.letter(confirm("alice@example.com"))
	w.advance(resetFor)
	wantStatus(t, "after an hour", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
	w.advance(confirmFor)
	wantStatus(t, "after a day", w.s.ConfirmEmail(t.Context(), c.Token), 400)
}

func TestConfirmEmail(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	stale := w.letter(confirm("alice@example.com"))
	w.set(alice, "email", "new@example.com")
	wantStatus(t, "a letter to a changed address", w.s.ConfirmEmail(t.Context(), stale.Token), 400)
	l := w.letter(confirm("new@example.com"))
	wantStatus(t, "a confirmation token as a reset", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 400)
	wantStatus(t, "the letter", w.s.ConfirmEmail(t.Context(), l.Token), 0)
	wantStatus(t, "a used letter", w.s.ConfirmEmail(t.Context(), l.Token), 400)
	var row userRow
	if w.db.Take(&row); row.EmailConfirmedAt == nil {
		t.Error("not confirmed")
	}
	if _, ok, err := confirm("new@example.com")(w); ok || err != nil {
		t.Errorf("a letter to a confirmed address: %v, %v", ok, err)
	}
}
