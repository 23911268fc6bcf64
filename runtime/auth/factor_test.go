package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// A user without the second factor that their role requires can only set one up,
// whether by token, page or key.
func TestRequiredSecondFactor(t *testing.T) {
	w := newFixture(t)
	w.set(w.user("root"), "role", "admin")
	w.user("alice")
	key, err := w.s.MakeKey(t.Context(), w.identity(w.s, w.login(w.s, "root")), "k", []string{"write"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.s.cfg.Factor = []string{"staff", "admin"}
	modules := append(guardedModules(w.s), web.Module{Name: "enrol", Routes: []web.Route{
		web.Get("/enrol", who).Guard(Enrolling(Fresh())),
		web.Get("/confirm", who).Guard(Enrolling(Session())),
	}})
	client := webtest.New(t, modules...)
	routes := []string{"/api/posts", "/api/admin", "/api/staff", "/api/export", "/api/account", "/api/danger"}
	check := func(what string, c *webtest.Client, want, enrol int, known bool) {
		t.Helper()
		for _, path := range routes {
			if got := c.Get(path); got.Status != want {
				t.Errorf("%s: %s is %d, want %d", what, path, got.Status, want)
			} else if details := got.Details(); want == 403 && (len(details) != 1 || details[0].Field != "factor") {
				t.Errorf("%s: %s responded %s", what, path, got.Body())
			}
		}
		if got := c.Get("/api/public").Expect(200).JSON()["known"]; got != known {
			t.Errorf("%s: identified on a public route: %v", what, got)
		}
		for _, path := range []string{"/enrol", "/confirm"} {
			if got := c.Get(path); got.Status != enrol {
				t.Errorf("%s: %s is %d, want %d", what, path, got.Status, enrol)
			}
		}
	}
	root := func() (Identity, *webtest.Client) {
		t.Helper()
		grant := w.login(w.s, "root")
		return w.identity(w.s, grant), client.With("Authorization", "Bearer "+grant.AccessToken)
	}
	id, session := root()
	check("before the enrolment", session, 403, 200, false)
	if got := client.With("X-API-Key", key.Key).Get("/api/posts"); got.Status != 403 {
		t.Errorf("a key of a user without a factor: %d", got.Status)
	}
	if got := client.With("Authorization", "Bearer "+w.login(w.s, "alice").AccessToken).Get("/api/posts"); got.Status != 200 {
		t.Errorf("a role without the requirement: %d", got.Status)
	}
	_, other := root()

	enrolled, err := w.s.EnrollTOTP(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(enrolled.Secret, w.s.now())
	if err != nil {
		t.Fatal(err)
	}
	codes, err := w.s.ConfirmTOTP(t.Context(), id, code)
	if err != nil {
		t.Fatal(err)
	}
	check("after the enrolment", session, 200, 200, true)
	check("login with the password alone", other, 403, 200, false)
	if _, err := w.s.EnrollTOTP(t.Context(), id); status(err) != 409 {
		t.Errorf("enrolled twice: %v", err)
	}
	grant, err := w.s.Login(t.Context(), here, Credentials{Username: "root", Password: rightPassword, Code: codes[0]})
	if err != nil {
		t.Fatal(err)
	}
	check("login with both factors", client.With("Authorization", "Bearer "+grant.AccessToken), 200, 200, true)
	if got := client.With("X-API-Key", key.Key).Get("/api/posts"); got.Status != 200 {
		t.Errorf("a key of a user with a factor: %d", got.Status)
	}
	if err := w.s.DisableTOTP(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	check("after disabling the factor", session, 403, 200, false)

	// A passkey counts as two factors; a password alone cannot add another factor.
	id, weak := root()
	begun, err := w.s.EnrollTOTP(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	passkey := Credential{UserID: id.UserID, ID: []byte("one"), Record: "{}"}
	if _, err := w.s.AddPasskey(t.Context(), id, Proof{UserID: id.UserID, Method: "passkey", ID: "1"}, "phone", passkey); err != nil {
		t.Fatal(err)
	}
	check("with a passkey", weak, 200, 200, true)
	id, weak = root()
	check("confirmed with the password", weak, 403, 200, false)
	if code, err = totp.GenerateCode(begun.Secret, w.s.now()); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "completing an enrolment with the password alone", errorOf(w.s.ConfirmTOTP(t.Context(), id, code)), 403)
	passkey.ID = []byte("two")
	for what, err := range map[string]error{
		"a passkey": errorOf(w.s.AddPasskey(t.Context(), id, Proof{UserID: id.UserID, Method: "passkey", ID: "2"}, "thief", passkey)),
		"totp":      errorOf(w.s.EnrollTOTP(t.Context(), id)),
	} {
		wantStatus(t, "enrolling with the password alone: "+what, err, 403)
	}
	proof := Proof{UserID: id.UserID, Method: "passkey", ID: "3", At: w.s.now(), Strong: true}
	if err := w.s.ConfirmWith(t.Context(), here, id, proof, ""); err != nil {
		t.Fatal(err)
	}
	check("confirmed with the passkey", weak, 200, 200, true)
	wantStatus(t, "a used proof", w.s.ConfirmWith(t.Context(), here, id, proof, ""), 400)
	id, _ = root()
	id.lacksFactor = false
	passkey.ID = []byte("one")
	err = errorOf(w.s.AddPasskey(t.Context(), id, Proof{UserID: id.UserID, Method: "passkey", ID: "4"}, "again", passkey))
	if status(err) != 409 || !strings.Contains(err.Error(), "This passkey is already registered") {
		t.Errorf("the same passkey again: %v", err)
	}
}

func errorOf[T any](_ T, err error) error { return err }

// Migrations of a later version do nothing in a project from which auth was removed.
func TestLaterMigrationsRequireUsers(t *testing.T) {
	w := newFixture(t)
	list := Migrations()
	if _, err := db.Rollback(t.Context(), w.db, append([]db.Migration{users()}, list...), len(list)+1); err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if m.ID < "20260101000009" {
			continue
		}
		if err := m.Up(w.db); err != nil {
			t.Errorf("%s: %v", m.ID, err)
		}
		if err := m.Down(w.db); err != nil {
			t.Errorf("%s: %v", m.ID, err)
		}
	}
}

// The second factor of an impersonated session is that of the actor: without one they
// have no more access than the user, and they cannot enrol one as the user.
func TestImpersonationWithRequiredSecondFactor(t *testing.T) {
	w := newFixture(t)
	root, ann := w.user("root"), w.user("ann")
	w.set(root, "role", RoleAdmin)
	w.s.cfg.Factor = []string{"user"}
	client := webtest.New(t, append(guardedModules(w.s), web.Module{Name: "enrol", Routes: []web.Route{
		web.Get("/enrol", who).Guard(Enrolling(Fresh())), web.Get("/confirm", who).Guard(Enrolling(Session())),
	}})...)
	g := w.login(w.s, "root")
	actor := w.identity(w.s, g)
	as, err := w.s.Impersonate(t.Context(), here, actor, ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, token string, want map[string]int) {
		t.Helper()
		for route, status := range want {
			if got := client.With("Authorization", "Bearer "+token).Get(route); got.Status != status {
				t.Errorf("%s: %s is %d, want %d: %s", what, route, got.Status, status, got.Body())
			}
		}
	}
	check("an actor with one factor", as.AccessToken, map[string]int{"/api/posts": 403, "/api/account": 403, "/enrol": 403, "/confirm": 200})
	if status(errorOf(w.s.EnrollTOTP(t.Context(), w.identity(w.s, as)))) != 403 {
		t.Error("the actor enrolled a factor of the user")
	}
	if err := recordTwoFactors(w.db, g.SessionID); err != nil {
		t.Fatal(err)
	}
	w.s.Forget(root.ID)
	check("an actor with two factors", as.AccessToken, map[string]int{"/api/posts": 200, "/api/account": 200, "/enrol": 403})
	w.s.cfg.Factor = []string{RoleAdmin}
	check("an administrator who needs a factor", w.login(w.s, "root").AccessToken, map[string]int{"/api/danger": 403, "/api/admin": 403})
}
