package auth

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
)

// told collects what the owners of accounts are told, as event>address:about.
func (w *world) told() *[]string {
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

// Whatever decides who gets in, its owner is told of.
func TestNotices(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	told := w.told()
	expect := func(what string, err error, want ...string) {
		t.Helper()
		if err != nil || !slices.Equal(*told, want) {
			t.Errorf("%s: %v, %v, want %v", what, *told, err, want)
		}
		*told = nil
	}
	const to = ">alice@example.com"
	_, err := w.s.MakeKey(t.Context(), id, "ci", nil, time.Time{})
	expect("a key", err, "key_made"+to+":ci")
	_, err = w.s.MakeKey(t.Context(), id, "ci", []string{"all"}, time.Time{})
	if err == nil {
		t.Error("a bad scope is taken")
	}
	expect("no key", nil)
	e, err := w.s.EnrollTOTP(t.Context(), id)
	expect("an enrolment that is not confirmed", err)
	_, err = w.s.ConfirmTOTP(t.Context(), id, w.code(e.Secret))
	expect("a factor", err, "factor_added"+to)
	_, err = w.s.RecoveryCodes(t.Context(), id)
	expect("new recovery codes", err, "recovery_codes"+to)
	expect("no factor", w.s.DisableTOTP(t.Context(), id), "factor_removed"+to)
	expect("a change", w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, false), "password_changed"+to)
	expect("a reset", w.s.ResetPassword(t.Context(), w.letter(reset("alice@example.com")).Token, "password", rightPassword), "password_changed"+to)
}

func TestALoginFromANewDeviceIsTold(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	w.set(alice, "created_at", w.now)
	told := w.told()
	login := func(what string, client Client, want int) {
		t.Helper()
		*told = nil
		if _, err := w.s.Login(t.Context(), client, Credentials{Username: "alice", Password: rightPassword}); err != nil {
			t.Fatal(err)
		}
		if len(*told) != want || want == 1 && (*told)[0] != "new_device>alice@example.com" {
			t.Errorf("%s: %v", what, *told)
		}
	}
	login("the first", here, 0)
	login("the same", here, 0)
	login("another address", Client{Address: "192.0.2.8", Agent: "test"}, 1)
	login("that again", Client{Address: "192.0.2.8", Agent: "test"}, 0)
	login("another agent", Client{Address: "192.0.2.8", Agent: "other"}, 1)
	login("IPv6", Client{Address: "2001:db8::1", Agent: "test"}, 1)
	login("the same network", Client{Address: "2001:db8::2", Agent: "test"}, 0)
	w.pass(31 * 24 * time.Hour)
	if err := w.s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	login("long after", here, 1)
	_, err := w.s.Login(t.Context(), Client{Address: "192.0.2.9"}, Credentials{Username: "alice", Password: otherPassword})
	if wantStatus(t, "a wrong password", err, 401); len(*told) != 1 {
		t.Errorf("a login that failed is told: %v", *told)
	}
}

// What cannot be told does not happen.
func TestANoticeThatFailsUndoesTheChange(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	w.s.Notify(func(*gorm.DB, Notice) error { return errors.New("no outbox") })
	if err := w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, false); err == nil {
		t.Error("changed")
	}
	w.s.Notify(nil)
	w.login(w.s, "alice")
}

func (w *world) moves(user account, before, after string) {
	w.t.Helper()
	err := w.db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(&account{}).Where("id = ?", user.ID).Update("email", after).Error; err != nil {
			return err
		}
		return w.s.EmailChanged(tx, user.ID, before)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// A session that was stolen does not take the account by another address: until
// that is confirmed, the one before counts.
func TestANewAddressCountsOnceItIsConfirmed(t *testing.T) {
	w := newWorld(t)
	var asked []string
	w.s.HoldEmails(func(_ *gorm.DB, email string) error { asked = append(asked, email); return nil })
	alice := w.user("alice")
	told := w.told()
	none := func(what, email string) {
		t.Helper()
		if _, ok, err := w.s.ResetLetter(t.Context(), email); ok || err != nil {
			t.Errorf("%s: a letter to %s, %v", what, email, err)
		}
	}
	w.moves(alice, "alice@example.com", "mallory@example.com")
	w.moves(alice, "mallory@example.com", "mallet@example.com")
	if want := []string{"email_changed>alice@example.com:mallory@example.com", "email_changed>alice@example.com:mallet@example.com"}; !slices.Equal(*told, want) {
		t.Errorf("told %v, want %v", *told, want)
	}
	if want := []string{"mallory@example.com", "mallet@example.com"}; !slices.Equal(asked, want) {
		t.Errorf("asked to confirm %v, want %v", asked, want)
	}
	none("the new one", "mallet@example.com")
	none("the one between", "mallory@example.com")
	open := w.letter(confirm("mallet@example.com"))
	l := w.letter(reset("Alice@example.com"))
	if l.Email != "alice@example.com" {
		t.Errorf("the letter goes to %s", l.Email)
	}
	wantStatus(t, "a reset by the one before", w.s.ResetPassword(t.Context(), l.Token, "password", otherPassword), 0)
	wantStatus(t, "confirming the new one then", w.s.ConfirmEmail(t.Context(), open.Token), 400)
	none("after it was taken back", "mallet@example.com")
	w.letter(reset("alice@example.com"))
	if _, ok, err := w.s.ConfirmLetter(t.Context(), "mallet@example.com"); ok || err != nil {
		t.Errorf("a confirmation of the new one then: %v, %v", ok, err)
	}

	w.moves(alice, "alice@example.com", "alice@example.org")
	stale := w.letter(reset("alice@example.com"))
	wantStatus(t, "a confirmation", w.s.ConfirmEmail(t.Context(), w.letter(confirm("alice@example.org")).Token), 0)
	wantStatus(t, "a letter to the one before", w.s.ResetPassword(t.Context(), stale.Token, "password", rightPassword), 400)
	none("after the confirmation", "alice@example.com")
	w.letter(reset("alice@example.org"))

	w.pass(16 * time.Minute) // there were three letters
	w.moves(alice, "alice@example.org", "b@example.com")
	w.moves(alice, "b@example.com", "alice@example.org")
	w.letter(reset("alice@example.org"))
	none("back again", "b@example.com")
}

func TestAnAddressCountsAtOnceWhereNoneIsConfirmed(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	told := w.told()
	w.moves(alice, "alice@example.com", "new@example.com")
	if want := []string{"email_changed>alice@example.com:new@example.com"}; !slices.Equal(*told, want) {
		t.Errorf("told %v, want %v", *told, want)
	}
	wantStatus(t, "a reset", w.s.ResetPassword(t.Context(), w.letter(reset("new@example.com")).Token, "password", otherPassword), 0)
}
