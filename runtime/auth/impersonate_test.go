package auth

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// Events recorded by the application name the actor, and the user once.
func TestRecordNamesTheActor(t *testing.T) {
	w := newFixture(t)
	root, ann := w.user("root"), w.user("ann")
	w.set(root, "role", RoleAdmin)
	admin := w.login(w.s, "root")
	g, err := w.s.Impersonate(t.Context(), here, w.identity(w.s, admin), ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	record := func(c *gin.Context, _ web.None) (web.None, error) {
		id, _ := From(c)
		w.s.Record(c.Request.Context(), "renamed", slog.Int64("user_id", id.UserID))
		return web.None{}, nil
	}
	client := webtest.New(t, web.Module{Name: "auth", Use: []gin.HandlerFunc{w.s.Middleware()}, Routes: []web.Route{web.Post("/rename", record)}})
	for _, tt := range []struct{ name, token, want string }{
		{"impersonated", g.AccessToken, fmt.Sprintf("event=renamed user_id=%d actor_id=%d session=%s\n", ann.ID, root.ID, g.SessionID)},
		{"as themselves", admin.AccessToken, fmt.Sprintf("event=renamed user_id=%d\n", root.ID)},
		{"anonymous", "", "event=renamed user_id=0\n"},
	} {
		c := client.Fresh()
		if tt.token != "" {
			c = c.With("Authorization", "Bearer "+tt.token)
		}
		c.Post("/rename", nil)
		if !strings.Contains(w.log.String(), tt.want) {
			t.Errorf("%s: missing %q in\n%s", tt.name, tt.want, w.log)
		}
	}
}

// An administrator can act with the identity and the rights of a user who is not an
// administrator.
func TestImpersonate(t *testing.T) {
	w := newFixture(t)
	root, ann, other := w.user("root"), w.user("ann"), w.user("other")
	w.set(root, "role", RoleAdmin)
	w.set(other, "role", RoleAdmin)
	actor := w.identity(w.s, w.login(w.s, "root"))
	open := func() Grant {
		t.Helper()
		g, err := w.s.Impersonate(t.Context(), here, actor, ann.ID)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := open()
	id := w.identity(w.s, g)
	if id.UserID != ann.ID || id.Role != "user" || id.ActorID != root.ID || id.Actor != "root" || id.Fresh() || g.RefreshToken != "" {
		t.Errorf("%+v %+v", id, g)
	}
	sessions, err := w.s.Sessions(t.Context(), id)
	if err != nil || len(sessions) != 1 || sessions[0].Actor != "root" {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
	if w.events("impersonation") != 1 || !strings.Contains(w.log.String(), "actor_id=") {
		t.Errorf("unexpected log: %s", w.log)
	}
	// An impersonating session is never fresh, however it was confirmed.
	if err := w.db.Table("auth_sessions").Where("id = ?", g.SessionID).Update("confirmed_at", w.s.stamp()).Error; err != nil {
		t.Fatal(err)
	}
	w.s.Forget(ann.ID)
	if w.identity(w.s, g).Fresh() {
		t.Error("an impersonating session is fresh")
	}
	user := w.identity(w.s, w.login(w.s, "ann"))
	stale := actor
	stale.fresh = false
	byKey := actor
	byKey.SessionID, byKey.KeyID = "", 1
	nested := actor
	nested.ActorID = other.ID
	gone := w.user("gone")
	w.set(gone, "is_active", false)
	for _, tt := range []struct {
		name   string
		actor  Identity
		user   int64
		status int
	}{
		{"a user", user, other.ID, http.StatusForbidden},
		{"an impersonating actor", id, other.ID, http.StatusForbidden},
		{"an actor who is an administrator", nested, ann.ID, http.StatusForbidden},
		{"a session that is not fresh", stale, ann.ID, http.StatusForbidden},
		{"an API key", byKey, ann.ID, http.StatusForbidden},
		{"impersonating an administrator", actor, other.ID, http.StatusForbidden},
		{"impersonating oneself", actor, root.ID, http.StatusForbidden},
		{"impersonating an inactive user", actor, gone.ID, http.StatusNotFound},
		{"impersonating an unknown user", actor, 999, http.StatusNotFound},
	} {
		if _, err := w.s.Impersonate(t.Context(), here, tt.actor, tt.user); status(err) != tt.status {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for name, err := range map[string]error{
		"password":            w.s.ChangePassword(t.Context(), here, id, rightPassword, otherPassword, false),
		"confirm":             w.s.Confirm(t.Context(), here, id, rightPassword, ""),
		"API key":             func() error { _, err := w.s.MakeKey(t.Context(), id, "x", nil, time.Time{}); return err }(),
		"revoking a key":      w.s.RevokeKey(t.Context(), id, 1),
		"session":             w.s.EndSession(t.Context(), id, g.SessionID),
		"enrolment":           func() error { _, err := w.s.EnrollTOTP(t.Context(), id); return err }(),
		"factor":              func() error { _, err := w.s.ConfirmTOTP(t.Context(), id, "123456"); return err }(),
		"removing the factor": w.s.DisableTOTP(t.Context(), id),
		"recovery codes":      func() error { _, err := w.s.RecoveryCodes(t.Context(), id); return err }(),
		"login":               w.s.Link(t.Context(), id, Person{Issuer: "https://id.example.com", Subject: "x"}),
		"removing a login":    w.s.Unlink(t.Context(), id, 1),
		"passkey": func() error {
			_, err := w.s.AddPasskey(t.Context(), id, Proof{UserID: id.UserID, ID: "x"}, "x", Credential{})
			return err
		}(),
		"name":               func() error { _, err := w.s.RenamePasskey(t.Context(), id, 1, "x"); return err }(),
		"removing a passkey": w.s.RemovePasskey(t.Context(), id, 1),
		"proof":              w.s.ConfirmWith(t.Context(), here, id, Proof{UserID: id.UserID, ID: "x", At: w.now, Strong: true}, ""),
	} {
		if status(err) != http.StatusForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, tt := range []struct {
		name string
		do   func()
		undo func()
	}{
		{"the user becomes an administrator", func() { w.set(ann, "role", RoleAdmin) }, func() { w.set(ann, "role", "user") }},
		{"the user is deactivated", func() { w.set(ann, "is_active", false) }, func() { w.set(ann, "is_active", true) }},
		{"the actor is no longer an administrator", func() { w.set(root, "role", "user") }, func() { w.set(root, "role", RoleAdmin) }},
		{"the actor is deactivated", func() { w.set(root, "is_active", false) }, func() { w.set(root, "is_active", true) }},
		{"the actor's session ends", func() {
			if err := w.s.EndSession(t.Context(), actor, actor.SessionID); err != nil {
				t.Fatal(err)
			}
		}, func() {}},
	} {
		g := open()
		tt.do()
		w.advance(Staleness)
		if _, err := w.s.Authenticate(t.Context(), g.AccessToken); status(err) != http.StatusUnauthorized {
			t.Errorf("%s: %v", tt.name, err)
		}
		tt.undo()
	}
	for name, end := range map[string]func() error{
		"logout":              func() error { return w.s.LogoutSession(t.Context(), actor) },
		"end of the session":  func() error { return w.s.EndSession(t.Context(), actor, actor.SessionID) },
		"end of all sessions": func() error { return w.s.EndSessions(t.Context(), root.ID, "") },
	} {
		actor = w.identity(w.s, w.login(w.s, "root"))
		g = open()
		w.identity(w.s, g) // fills the cache
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.Authenticate(t.Context(), g.AccessToken); status(err) != http.StatusUnauthorized {
			t.Errorf("right after the %s of the actor's session: %v", name, err)
		}
	}
	actor = w.identity(w.s, w.login(w.s, "root"))
	g = open()
	w.advance(impersonationTTL)
	if _, err := w.s.Authenticate(t.Context(), g.AccessToken); status(err) != http.StatusUnauthorized {
		t.Errorf("after an hour: %v", err)
	}
}
