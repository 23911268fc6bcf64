package auth

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
)

// notices collects the notices sent to owners of accounts, as event>address:about.
func (w *fixture) notices() *[]string {
	var list []string
	w.s.Notify(func(_ *gorm.DB, n Notice) error {
		if n.UserID == 0 || n.Username == "" || n.At.IsZero() {
			w.t.Errorf("%+v", n)
		}
		list = append(list, strings.TrimSuffix(n.Event+">"+n.Email+":"+n.About, ":"))
		return nil
	})
	return &list
}

// The owner is notified of every change that affects who can log in.
func TestNotices(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	notices := w.notices()
	expect := func(what string, err error, want ...string) {
		t.Helper()
		if err != nil || !slices.Equal(*notices, want) {
			t.Errorf("%s: %v, %v, want %v", what, *notices, err, want)
		}
		*notices = nil
	}
	const to = ">alice@example.com"
	_, err := w.s.MakeKey(t.Context(), id, "ci", nil, time.Time{})
	expect("API key created", err, "key_made"+to+":ci")
	_, err = w.s.MakeKey(t.Context(), id, "ci", []string{"all"}, time.Time{})
	if err == nil {
		t.Error("an invalid scope was accepted")
	}
	expect("API key rejected", nil)
	e, err := w.s.EnrollTOTP(t.Context(), id)
	expect("enrolment not confirmed", err)
	_, err = w.s.ConfirmTOTP(t.Context(), id, w.code(e.Secret))
	expect("factor added", err, "factor_added"+to)
	_, err = w.s.RecoveryCodes(t.Context(), id)
	expect("new recovery codes", err, "recovery_codes"+to)
	expect("factor removed", w.s.DisableTOTP(t.Context(), id), "factor_removed"+to)
	expect("password changed", w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, false), "password_changed"+to)
	expect("password reset", w.s.ResetPassword(t.Context(), w.letter(reset("alice@example.com")).Token, "password", rightPassword), "password_changed"+to)
}

func TestNewDeviceIsNotified(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	w.set(alice, "created_at", w.now)
	notices := w.notices()
	login := func(what string, client Client, want int) {
		t.Helper()
		*notices = nil
		if _, err := w.s.Login(t.Context(), client, Credentials{Username: "alice", Password: rightPassword}); err != nil {
			t.Fatal(err)
		}
		if len(*notices) != want || want == 1 && (*notices)[0] != "new_device>alice@example.com" {
			t.Errorf("%s: %v", what, *notices)
		}
	}
	login("the first", here, 0)
	login("the same", here, 0)
	login("another address", Client{Address: "192.0.2.8", Agent: "test"}, 1)
	login("that again", Client{Address: "192.0.2.8", Agent: "test"}, 0)
	login("another agent", Client{Address: "192.0.2.8", Agent: "other"}, 1)
	login("IPv6", Client{Address: "2001:db8::1", Agent: "test"}, 1)
	login("the same network", Client{Address: "2001:db8::2", Agent: "test"}, 0)
	w.advance(31 * 24 * time.Hour)
	if err := w.s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	login("long after", here, 1)
	_, err := w.s.Login(t.Context(), Client{Address: "192.0.2.9"}, Credentials{Username: "alice", Password: otherPassword})
	if wantStatus(t, "a wrong password", err, 401); len(*notices) != 1 {
		t.Errorf("notified of a failed login: %v", *notices)
	}
}

// If a notice fails, the change is rolled back.
func TestFailedNoticeRollsBackChange(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	w.s.Notify(func(*gorm.DB, Notice) error { return errors.New("no outbox") })
	if err := w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, false); err == nil {
		t.Error("the change was not rolled back")
	}
	w.s.Notify(nil)
	w.login(w.s, "alice")
}
