package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

func TestAPIKeys(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	w.user("bob")
	id, bob := w.identity(w.s, w.login(w.s, "alice")), w.identity(w.s, w.login(w.s, "bob"))
	made, err := w.s.MakeKey(t.Context(), id, "ci", []string{"posts:write", "read"}, w.now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(made.Key, made.Prefix) || !strings.HasPrefix(made.Prefix, keyPrefix) {
		t.Errorf("%+v", made)
	}
	var row apiKeyRow
	w.db.Take(&row)
	if strings.Contains(row.Hash+row.Prefix+row.Name, made.Key) || len(row.Prefix) > 10 {
		t.Error("the key is stored in plain text")
	}
	who, err := w.s.authenticateKey(t.Context(), made.Key)
	if err != nil || who.UserID != alice.ID || who.SessionID != "" || who.KeyID != made.ID || who.Fresh() {
		t.Fatalf("%+v, %v", who, err)
	}
	list, err := w.s.Keys(t.Context(), id)
	if err != nil || len(list) != 1 || list[0].LastUsedAt == nil {
		t.Fatalf("%+v, %v", list, err)
	}

	tampered := made.Key[:10] + flip(made.Key[10]) + made.Key[11:]
	for _, key := range []string{"", keyPrefix, "nxk", tampered, made.Key + "0", made.Key[:len(made.Key)-1], strings.TrimPrefix(made.Key, keyPrefix), keyPrefix + strings.Repeat("A", 200)} {
		_, err := w.s.authenticateKey(t.Context(), key)
		wantStatus(t, "the key "+key, err, 401)
	}
	random := secret()
	_, err = w.s.authenticateKey(t.Context(), keyPrefix+random+checksum(random))
	wantStatus(t, "a well-formed unknown key", err, 401)

	wantStatus(t, "revoking a key of another user", w.s.RevokeKey(t.Context(), bob, made.ID), 404)
	second := w.replica()
	if _, err := second.authenticateKey(t.Context(), made.Key); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "revoking the key", w.s.RevokeKey(t.Context(), id, made.ID), 0)
	wantStatus(t, "revoking a revoked key", w.s.RevokeKey(t.Context(), id, made.ID), 404)
	_, err = w.s.authenticateKey(t.Context(), made.Key)
	wantStatus(t, "a revoked key", err, 401)
	wantStatus(t, "recheck of its connection", who.Recheck(t.Context()), 401)
	w.advance(Staleness)
	_, err = second.authenticateKey(t.Context(), made.Key)
	wantStatus(t, "a revoked key on another replica", err, 401)
}

func TestAPIKeysExpire(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	short, err := w.s.MakeKey(t.Context(), id, "short", nil, w.now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	long, err := w.s.MakeKey(t.Context(), id, "long", nil, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.s.authenticateKey(t.Context(), short.Key); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Second) // less than Staleness: expiry is not cached
	_, err = w.s.authenticateKey(t.Context(), short.Key)
	wantStatus(t, "an expired key", err, 401)
	if _, err = w.s.authenticateKey(t.Context(), long.Key); err != nil {
		t.Fatal(err)
	}
	w.set(alice, "is_active", false)
	w.advance(Staleness)
	_, err = w.s.authenticateKey(t.Context(), long.Key)
	wantStatus(t, "a key of an inactive user", err, 401)
}

func TestInvalidAPIKeys(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	id := w.identity(w.s, w.login(w.s, "alice"))
	for name, err := range map[string]error{
		"admin":              second(w.s.MakeKey(t.Context(), id, "x", []string{"admin"}, time.Time{})),
		"two scopes in one":  second(w.s.MakeKey(t.Context(), id, "x", []string{"read write"}, time.Time{})),
		"empty":              second(w.s.MakeKey(t.Context(), id, "x", []string{""}, time.Time{})),
		"upper case":         second(w.s.MakeKey(t.Context(), id, "x", []string{"Posts:read"}, time.Time{})),
		"expiry in the past": second(w.s.MakeKey(t.Context(), id, "x", nil, w.now)),
	} {
		wantStatus(t, name, err, 422)
	}
	for range maxKeys {
		if _, err := w.s.MakeKey(t.Context(), id, "x", nil, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus(t, "one key too many", second(w.s.MakeKey(t.Context(), id, "x", nil, time.Time{})), 422)
}

// A key may only have scopes that a route of the application requires.
func TestScopesOfRoutes(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	token := w.login(w.s, "alice").AccessToken
	type input struct {
		Body struct{ Scopes []string }
	}
	create := func(c *gin.Context, in input) (NewAPIKey, error) {
		who, _ := From(c)
		return w.s.MakeKey(c.Request.Context(), who, "x", in.Body.Scopes, time.Time{})
	}
	none := func(*gin.Context, web.None) (web.None, error) { return web.None{}, nil }
	api := webtest.New(t, web.Module{Name: "auth", Use: []gin.HandlerFunc{w.s.Middleware()}, Routes: []web.Route{web.Post("/keys", create).Guard(Fresh())}},
		web.Module{Name: "posts", Routes: []web.Route{web.Get("/posts", none).Guard(User()), web.Get("/open", none)}},
		web.Module{Name: "team", Prefix: "/teams", Routes: []web.Route{web.Get("/talk", none).Guard(Role("editor")), web.Get("/report", none).Guard(Scope("reports:read"))}},
		web.Module{Name: "tour", Routes: []web.Route{web.Get("/tour", none)}}).With("Authorization", "Bearer "+token)
	const known = "Scope must be one of read, write, posts:read, posts:write, reports:read, team:read, team:write"
	for scope, want := range map[string]int{
		"read": 201, "write": 201, "posts:read": 201, "posts:write": 201, "team:read": 201, "team:write": 201, "reports:read": 201,
		"nonsense:read": 422, "reports:write": 422, // not required by any route
		"auth:read": 422, "tour:read": 422, // no keys accepted; public
		"post:read": 422, "posts": 422, "posts:delete": 422, "": 422,
	} {
		answer := api.Post("/keys", map[string]any{"Scopes": []string{"read", scope}}).Expect(want)
		if want == 422 {
			if d := answer.Details(); len(d) != 1 || d[0].Field != "scopes[1]" || d[0].Rule != "scope" || d[0].Message != known {
				t.Errorf("%s: %+v", scope, d)
			}
		}
	}
}

func second(_ NewAPIKey, err error) error { return err }

func TestScopes(t *testing.T) {
	for _, c := range []struct {
		has    string
		scope  string
		wanted bool
	}{
		{"read", "read", true}, {"read", "write", false}, {"write", "read", true}, {"write", "write", true},
		{"read", "posts:read", true}, {"read", "posts:write", false}, {"write", "posts:write", true}, {"write", "posts:read", true},
		{"posts:read", "posts:read", true}, {"posts:read", "posts:write", false}, {"posts:write", "posts:read", true},
		{"posts:write", "users:read", false}, {"posts:read", "read", false}, {"posts:write", "write", false}, {"posts:write", "read", false},
		{"read", "reports:export", false}, {"reports:export", "reports:export", true}, {"", "read", false}, {"write", "", false},
	} {
		key := Identity{KeyID: 1, Scopes: strings.Fields(c.has)}
		if got := key.Can(c.scope); got != c.wanted {
			t.Errorf("Can of a key with %q for %q: %v", c.has, c.scope, got)
		}
		if !(Identity{SessionID: "s"}).Can(c.scope) {
			t.Errorf("Can of a session for %q: false", c.scope)
		}
	}
}
