package auth

import (
	"sync"
	"testing"
	"time"
)

// endsEverywhere checks that a token which end revokes on this replica is rejected here
// immediately and by another replica, which has just accepted it, within Staleness.
func (w *fixture) endsEverywhere(g Grant, end func() error) {
	w.t.Helper()
	second := w.replica()
	w.identity(w.s, g)
	there := w.identity(second, g)
	if err := end(); err != nil {
		w.t.Fatal(err)
	}
	_, err := w.s.Authenticate(w.t.Context(), g.AccessToken)
	wantStatus(w.t, "immediately on the revoking replica", err, 401)
	w.advance(Staleness)
	_, err = second.Authenticate(w.t.Context(), g.AccessToken)
	wantStatus(w.t, "within Staleness on another replica", err, 401)
	wantStatus(w.t, "Recheck on another replica", there.Recheck(w.t.Context()), 401)
	_, err = second.Refresh(w.t.Context(), g.RefreshToken)
	wantStatus(w.t, "refresh on another replica", err, 401)
}

func TestSessionRevocation(t *testing.T) {
	for name, end := range map[string]func(*fixture, account, Grant, Grant) error{
		"logout": func(w *fixture, u account, g, other Grant) error {
			return w.s.LogoutSession(w.t.Context(), w.identity(w.s, g))
		},
		"logout by refresh token": func(w *fixture, u account, g, other Grant) error { return w.s.Logout(w.t.Context(), g.RefreshToken) },
		"revoked from another session": func(w *fixture, u account, g, other Grant) error {
			return w.s.EndSession(w.t.Context(), w.identity(w.s, other), g.SessionID)
		},
		"password changed in another session": func(w *fixture, u account, g, other Grant) error {
			return w.s.ChangePassword(w.t.Context(), here, w.identity(w.s, other), rightPassword, otherPassword, false)
		},
		"all others ended": func(w *fixture, u account, g, other Grant) error {
			return w.s.EndSessions(w.t.Context(), u.ID, other.SessionID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			alice := w.user("alice")
			w.user("bob")
			bob, other, g := w.login(w.s, "bob"), w.login(w.s, "alice"), w.login(w.s, "alice")
			w.endsEverywhere(g, func() error { return end(w, alice, g, other) })
			w.identity(w.s, other)
			w.identity(w.s, bob)
		})
	}
}

func TestDeactivatedOrDeletedAccount(t *testing.T) {
	for name, end := range map[string]func(*fixture, account) error{
		"deactivated": func(w *fixture, u account) error {
			return w.db.Table("users").Where("id = ?", u.ID).Update("is_active", false).Error
		},
		"deleted": func(w *fixture, u account) error { return w.db.Delete(&userRow{}, u.ID).Error },
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			alice := w.user("alice")
			g := w.login(w.s, "alice")
			w.endsEverywhere(g, func() error {
				err := end(w, alice)
				w.s.Forget(alice.ID)
				return err
			})
		})
	}
}

func TestRoleChangeTakesEffect(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	w.set(alice, "role", "admin")
	g := w.login(w.s, "alice")
	if !w.identity(w.s, g).Admin() {
		t.Fatal("not an administrator")
	}
	w.set(alice, "role", "user")
	w.advance(Staleness)
	if w.identity(w.s, g).Admin() {
		t.Error("still an administrator after Staleness")
	}
}

func TestSessionsBelongToTheirOwner(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	w.user("bob")
	first, second, bobs := w.login(w.s, "alice"), w.login(w.s, "alice"), w.login(w.s, "bob")
	alice, bob := w.identity(w.s, first), w.identity(w.s, bobs)
	list, err := w.s.Sessions(t.Context(), alice)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, s := range list {
		if s.Current != (s.ID == first.SessionID) || s.Address != here.Address || s.Agent != here.Agent || s.Kind != kindToken {
			t.Errorf("%+v", s)
		}
	}
	wantStatus(t, "a session of another user", w.s.EndSession(t.Context(), bob, second.SessionID), 404)
	wantStatus(t, "an unknown session", w.s.EndSession(t.Context(), bob, "nothing"), 404)
	wantStatus(t, "her own session", w.s.EndSession(t.Context(), alice, second.SessionID), 0)
	wantStatus(t, "an ended session", w.s.EndSession(t.Context(), alice, second.SessionID), 404)
	w.identity(w.s, bobs)
	if list, _ = w.s.Sessions(t.Context(), alice); len(list) != 1 {
		t.Errorf("%d sessions left", len(list))
	}
}

// TestLoginRacesWithPasswordChange runs logins with the old password concurrently
// with its change: afterwards no session of the old password is valid.
func TestLoginRacesWithPasswordChange(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	first := w.login(w.s, "alice")
	id := w.identity(w.s, first)
	second := w.replica()
	var (
		wg   sync.WaitGroup
		got  [8]Grant
		errs [8]error
	)
	for i := range got {
		wg.Go(func() {
			got[i], errs[i] = second.Login(t.Context(), here, Credentials{Username: "alice", Password: rightPassword})
		})
	}
	if err := w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, false); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	fresh := w.replica()
	for i := range got {
		if errs[i] != nil {
			continue
		}
		_, err := fresh.Authenticate(t.Context(), got[i].AccessToken)
		wantStatus(t, "a session opened with the old password", err, 401)
	}
	w.identity(fresh, first)
	_, err := w.s.Login(t.Context(), here, Credentials{Username: "alice", Password: rightPassword})
	wantStatus(t, "the old password", err, 401)
}

func TestFreshness(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	if !w.identity(w.s, g).Fresh() {
		t.Error("not fresh after a login")
	}
	w.advance(16 * time.Minute)
	id := w.identity(w.s, g)
	if id.Fresh() {
		t.Error("still fresh after 16 minutes")
	}
	wantStatus(t, "a wrong password", w.s.Confirm(t.Context(), here, id, otherPassword, ""), 400)
	if err := w.s.Confirm(t.Context(), here, id, rightPassword, ""); err != nil || !w.identity(w.s, g).Fresh() {
		t.Errorf("not fresh after the password: %v", err)
	}
}

func TestOpenedSessionIsNotFresh(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	g, err := w.s.OpenSession(t.Context(), here, alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	id := w.identity(w.s, g)
	if id.Fresh() {
		t.Error("fresh without a password check")
	}
	if err := w.s.Confirm(t.Context(), here, id, rightPassword, ""); err != nil || !w.identity(w.s, g).Fresh() {
		t.Errorf("not fresh after the password: %v", err)
	}
}

// A password change revokes what was created with the old password.
func TestPasswordChangeRevokesAPIKeys(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fixture, Identity) error
		ends   bool
	}{
		"change": {func(w *fixture, id Identity) error {
			return w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, false)
		}, false},
		"change and keys": {func(w *fixture, id Identity) error {
			return w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, true)
		}, true},
		"wrong password": {func(w *fixture, id Identity) error {
			wantStatus(t, "a wrong password", w.s.ChangePassword(t.Context(), here, id, otherPassword, otherPassword, true), 400)
			return nil
		}, false},
		"reset": {func(w *fixture, id Identity) error {
			return w.s.ResetPassword(t.Context(), w.letter(reset("alice@example.com")).Token, "password", otherPassword)
		}, true},
	} {
		w := newFixture(t)
		w.user("alice")
		w.user("bob")
		id, bob := w.identity(w.s, w.login(w.s, "alice")), w.identity(w.s, w.login(w.s, "bob"))
		keys := map[string]string{}
		for owner, who := range map[string]Identity{"alice": id, "bob": bob} {
			made, err := w.s.MakeKey(t.Context(), who, "ci", nil, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			keys[owner] = made.Key
			if _, err := w.s.authenticateKey(t.Context(), made.Key); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.change(w, id); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := map[bool]int{true: 401}[c.ends]
		for _, s := range []*Service{w.s, w.replica()} {
			_, err := s.authenticateKey(t.Context(), keys["alice"])
			wantStatus(t, name+": the key", err, want)
			_, err = s.authenticateKey(t.Context(), keys["bob"])
			wantStatus(t, name+": another user's key", err, 0)
		}
	}
}

func TestPurge(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	w.login(w.s, "alice")
	w.failLogins(w.s, "alice", 3)
	key := func(expires time.Time) int64 {
		t.Helper()
		made, err := w.s.MakeKey(t.Context(), Identity{UserID: alice.ID}, "ci", nil, expires)
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	key(w.now.Add(time.Hour))
	if err := w.s.RevokeKey(t.Context(), Identity{UserID: alice.ID}, key(time.Time{})); err != nil {
		t.Fatal(err)
	}
	w.advance(31 * 24 * time.Hour)
	key(w.now.Add(time.Hour))
	key(time.Time{})
	g := w.login(w.s, "alice")
	if err := w.s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int64{"auth_sessions": 1, "auth_refresh_tokens": 1, "auth_failures": 0, "auth_api_keys": 2} {
		var n int64
		if w.db.Table(table).Count(&n); n != want {
			t.Errorf("%d rows in %s, want %d", n, table, want)
		}
	}
	w.identity(w.s, g)
}

func TestForgetDuringLoad(t *testing.T) {
	c := newCache[int]()
	now := time.Now()
	_, _, _ = c.get("a", now, func() (int, bool, error) { c.forgetKey("a"); return 1, true, nil })
	got, _, _ := c.get("a", now, func() (int, bool, error) { return 2, true, nil })
	if got != 2 {
		t.Error("a load started before forget was cached")
	}
	got, _, _ = c.get("a", now, func() (int, bool, error) { return 3, true, nil })
	if got != 2 {
		t.Error("nothing is cached")
	}
}

// A long-lived connection ends when the name or the role of its user changes.
func TestRecheckDetectsNameAndRoleChanges(t *testing.T) {
	for column, value := range map[string]string{"username": "alicia", "role": RoleAdmin} {
		t.Run(column, func(t *testing.T) {
			w := newFixture(t)
			alice := w.user("alice")
			session := w.identity(w.s, w.login(w.s, "alice"))
			made, err := w.s.MakeKey(t.Context(), session, "ci", []string{"read"}, w.now.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			key, err := w.s.authenticateKey(t.Context(), made.Key)
			if err != nil {
				t.Fatal(err)
			}
			wantStatus(t, "recheck of a session", session.Recheck(t.Context()), 0)
			wantStatus(t, "recheck of a key", key.Recheck(t.Context()), 0)
			if err := w.db.Model(&account{}).Where("id = ?", alice.ID).UpdateColumn(column, value).Error; err != nil {
				t.Fatal(err)
			}
			w.advance(Staleness)
			wantStatus(t, "recheck of a session afterwards", session.Recheck(t.Context()), 401)
			wantStatus(t, "recheck of a key afterwards", key.Recheck(t.Context()), 401)
		})
	}
}
