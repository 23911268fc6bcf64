package auth

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

type shown struct {
	Known bool   `json:"known"`
	Name  string `json:"name"`
}

func who(c *gin.Context, _ web.None) (shown, error) {
	id, ok := From(c)
	return shown{ok, id.Username}, nil
}

func guardedModules(s *Service) []web.Module {
	return []web.Module{
		{Name: "auth", Use: []gin.HandlerFunc{s.Middleware()}},
		web.Module{Name: "posts", Routes: []web.Route{
			web.Get("/public", who),
			web.Get("/posts", who).Guard(User()),
			web.Post("/posts", who).Guard(User()),
			web.Get("/posts/:id/author", who).Guard(User()),
			web.Get("/admin", who).Guard(Admin()),
			web.Get("/staff", who).Guard(Role("staff", "admin")),
			web.Get("/export", who).Guard(Scope("reports:export")),
			web.Get("/account", who).Guard(Session()),
			web.Get("/danger", who).Guard(Fresh()),
		}}.Under("/api"),
		web.Module{Name: "groups", Routes: []web.Route{
			web.Get("/groups/:group", who).Guard(User()),
			web.Get("/groups/:group/members", who).Guard(User()),
		}}.Under("/api"),
		web.Module{Name: "tasks", Routes: []web.Route{web.Get("/groups/:group/tasks", who).Guard(User())}}.Under("/api"),
	}
}

func TestGuards(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	w.set(w.user("root"), "role", "admin")
	w.set(w.user("staff"), "role", "staff")
	token := map[string]string{}
	for _, name := range []string{"alice", "root", "staff"} {
		token[name] = w.login(w.s, name).AccessToken
	}
	key := func(scopes ...string) string {
		id, _ := w.s.Authenticate(t.Context(), token["root"])
		made, err := w.s.MakeKey(t.Context(), id, "k", scopes, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return made.Key
	}
	client := webtest.New(t, guardedModules(w.s)...)
	as := map[string]*webtest.Client{
		"anonymous":     client,
		"invalid token": client.With("Authorization", "Bearer x"),
		"basic":         client.With("Authorization", "Basic YWxpY2U6eA=="),
		"alice":         client.With("Authorization", "Bearer "+token["alice"]),
		"lower case":    client.With("Authorization", "bearer "+token["alice"]),
		"root":          client.With("Authorization", "Bearer "+token["root"]),
		"staff":         client.With("Authorization", "Bearer "+token["staff"]),
		"key read":      client.With("X-API-Key", key("read")),
		"key write":     client.With("X-API-Key", key("write")),
		"key posts":     client.With("X-API-Key", key("posts:read")),
		"invalid key":   client.With("X-API-Key", "nxk_x"),
		"token and key": client.With("X-API-Key", key("write")).With("Authorization", "Bearer x"),
	}
	paths := []string{"/posts", "POST /posts", "/posts/1/author", "/admin", "/staff", "/export", "/account", "/danger"}
	for name, want := range map[string][]int{
		"anonymous":     {401, 401, 401, 401, 401, 401, 401, 401},
		"invalid token": {401, 401, 401, 401, 401, 401, 401, 401},
		"basic":         {401, 401, 401, 401, 401, 401, 401, 401},
		"invalid key":   {401, 401, 401, 401, 401, 401, 401, 401},
		"token and key": {401, 401, 401, 401, 401, 401, 401, 401},
		"alice":         {200, 201, 200, 403, 403, 200, 200, 200},
		"lower case":    {200, 201, 200, 403, 403, 200, 200, 200},
		"root":          {200, 201, 200, 200, 200, 200, 200, 200},
		"staff":         {200, 201, 200, 403, 200, 200, 200, 200},
		"key read":      {200, 403, 200, 200, 200, 403, 403, 403},
		"key write":     {200, 201, 200, 200, 200, 403, 403, 403},
		"key posts":     {200, 403, 200, 200, 200, 403, 403, 403},
	} {
		for i, path := range paths {
			var got *webtest.Answer
			if path == "POST /posts" {
				got = as[name].Post("/api/posts", nil)
			} else {
				got = as[name].Get("/api" + path)
			}
			if got.Status != want[i] {
				t.Errorf("%s at %s: %d, want %d", name, path, got.Status, want[i])
			}
			if got.Status == http.StatusUnauthorized && got.Header("WWW-Authenticate") == "" {
				t.Errorf("%s at %s: no WWW-Authenticate", name, path)
			}
		}
		known := want[0] != 401
		if got := as[name].Get("/api/public").Expect(200).JSON(); got["known"] != known {
			t.Errorf("%s on a public route: %v", name, got)
		}
	}
	// A WebSocket handshake requires the write scope, whatever its method.
	for name, want := range map[string]int{"key read": 403, "key posts": 403, "key write": 200, "alice": 200} {
		for _, header := range []string{"websocket", "WebSocket", "h2c, websocket"} {
			if got := as[name].With("Upgrade", header).Get("/api/posts"); got.Status != want {
				t.Errorf("%s, handshake with %q: %d, want %d", name, header, got.Status, want)
			}
		}
	}
	// A scope applies to a module, not to the path above it.
	for scope, want := range map[string][]int{
		"read": {200, 200, 200}, "groups:read": {200, 200, 403}, "tasks:read": {403, 403, 200}, "api:read": {403, 403, 403},
		"members:read": {403, 403, 403}, "groups:write": {200, 200, 403},
	} {
		for i, path := range []string{"/groups/1", "/groups/1/members", "/groups/1/tasks"} {
			if got := client.With("X-API-Key", key(scope)).Get("/api" + path); got.Status != want[i] {
				t.Errorf("a key with scope %s at %s: %d, want %d", scope, path, got.Status, want[i])
			}
		}
	}
	client.Get("/api/posts?access_token=" + token["alice"] + "&token=" + token["alice"]).Expect(401)

	w.advance(16 * time.Minute)
	as["alice"].Get("/api/danger").Expect(403)
	as["alice"].Get("/api/account").Expect(200)
}

func TestGuardsWithoutMiddleware(t *testing.T) {
	w := newFixture(t)
	client := webtest.New(t, guardedModules(w.s)[1:]...)
	for _, path := range []string{"/posts", "/admin", "/export", "/danger"} {
		client.Get("/api" + path).Expect(500)
	}
	client.Get("/api/public").Expect(200)
}

func TestWebSocketSubprotocol(t *testing.T) {
	w := newFixture(t)
	w.user("alice")
	g := w.login(w.s, "alice")
	client := webtest.New(t, guardedModules(w.s)...).With("Sec-WebSocket-Protocol", "bearer."+g.AccessToken+", chat")
	client.Get("/api/posts").Expect(401) // not a handshake
	client.With("Upgrade", "websocket").Get("/api/posts").Expect(200)
	client.With("Upgrade", "websocket").With("Sec-WebSocket-Protocol", "chat, bearer."+g.AccessToken).Get("/api/posts").Expect(401)
}

func TestGuardSchemes(t *testing.T) {
	for scheme, guards := range map[string][]web.Guard{
		"bearerAuth apiKey": {User(), Admin(), Role("admin"), Scope("posts:read")},
		"bearerAuth":        {Session(), Fresh()},
		"__Host-session":    {Page()},
	} {
		for _, g := range guards {
			if g.Scheme != scheme {
				t.Errorf("scheme of %s is %q, want %q", g.Name, g.Scheme, scheme)
			}
		}
	}
}

// Rejected requests are logged as security events.
func TestRejectionsAreLogged(t *testing.T) {
	w := newFixture(t)
	alice := w.user("alice")
	g := w.login(w.s, "alice")
	var log bytes.Buffer
	a, err := web.New(web.Config{Env: web.Test}, slog.New(slog.NewTextHandler(&log, nil)), guardedModules(w.s)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/admin", "/api/posts", "/api/none"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+g.AccessToken)
		a.ServeHTTP(httptest.NewRecorder(), r)
	}
	want := fmt.Sprintf(`msg=security event=forbidden reason="Not allowed" method=GET path=/api/admin address=192.0.2.1 user_id=%d session=%s`, alice.ID, g.SessionID)
	if strings.Count(log.String(), want) != 1 || strings.Count(log.String(), "msg=security") != 1 {
		t.Errorf("want exactly one event %s:\n%s", want, log.String())
	}
}
