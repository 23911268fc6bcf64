package openapi

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

// Operation ids are a verb and a noun, derived from method and path.
func TestOperationIDs(t *testing.T) {
	type page struct {
		Items []string `json:"items"`
		Total int      `json:"total"`
	}
	type row struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	list := func(*gin.Context, web.None) (page, error) { return page{}, nil }
	one := func(*gin.Context, web.None) (row, error) { return row{}, nil }
	none := func(*gin.Context, web.None) (web.None, error) { return web.None{}, nil }
	for want, r := range map[string]web.Route{
		"listPosts":         web.Get("/api/v1/posts", list),
		"getPost":           web.Get("/api/v1/posts/:id", one),
		"getProfile":        web.Get("/api/v1/profile", one),
		"createPost":        web.Post("/api/v1/posts", one),
		"bulkCreatePosts":   web.Post("/api/v1/posts/bulk", list),
		"putPost":           web.Put("/api/v1/posts/:id", one),
		"updatePost":        web.Patch("/api/v1/posts/:id", one),
		"deletePost":        web.Delete("/api/v1/posts/:id", none),
		"listPostComments":  web.Get("/api/v1/posts/:id/comments", list),
		"createPostComment": web.Post("/api/v1/posts/:id/comments", one),
		"login":             web.Post("/api/v1/auth/login", one).Returns(200),
		"changePassword":    web.Post("/api/v1/users/me/change-password", one).Returns(200),
		"confirmTotp":       web.Post("/api/v1/auth/totp/confirm", none),
		"connectChat":       web.Handle("GET", "/ws/chat/:room", nil).Returns(101),
		"getRoot":           web.Get("/", one),
		"publishPost":       web.Post("/api/v1/posts/:id/publish", none).ID("publishPost"),
	} {
		d := document{ids: map[string]bool{}}
		if got := d.id("posts", r); got != want {
			t.Errorf("%s %s: id %s, want %s", r.Method, r.Path, got, want)
		}
	}
	d := document{ids: map[string]bool{"login": true, "sessionsLogin": true}}
	if got := d.id("sessions", web.Post("/session/login", none)); got != "sessionsLogin2" {
		t.Errorf("an id that is taken twice became %s", got)
	}
}

// A converted pattern uses only ECMA-262 syntax and matches the same strings.
func TestPatternsAreECMA(t *testing.T) {
	for _, tc := range []struct{ pattern, want string }{
		{`^[a-z]+$`, `^[a-z]+$`},
		{`^[^\s\pC]([^\pC]*[^\s\pC])?$`, ``},
		{`^(?P<year>\d{4})-(?:a|b){2,}?$`, `^([0-9]{4})-[a-b]{2,}?$`},
		{`\Aa.b\z`, `^a.b$`},
		{`^(?i)ab1$`, `^[aA][bB]1$`},
		{`^a/b\.c$`, `^a\/b\.c$`},
		{`^(ab|cd)?e{2,3}$`, `^(ab|cd)?e{2,3}$`},
		{`^[\]\-^]$`, `^[\u002d\u005d-\u005e]$`},
		{`[`, `[`},
	} {
		got := ecma(tc.pattern)
		if tc.want != "" && got != tc.want {
			t.Errorf("%s became %s, want %s", tc.pattern, got, tc.want)
		}
		if regexp.MustCompile(`\\p|\(\?[Pi]|\\[Az]|\[:`).MatchString(got) {
			t.Errorf("%s became %s, which is not ECMA-262", tc.pattern, got)
		}
	}
}

// TestGuardsNarrow: a caller must pass every guard of a route, so that a scheme which one
// of them does not accept is none, and what another says more closely is said once.
func TestGuardsNarrow(t *testing.T) {
	user := web.Guard{Name: "user", Doc: "Requires a signed-in user.", Scheme: "bearerAuth apiKey"}
	session := web.Guard{Name: "session", Doc: "Requires a signed-in user; API keys are not accepted.", Scheme: "bearerAuth"}
	admin := web.Guard{Name: "admin", Doc: "Requires an administrator.", Scheme: "bearerAuth apiKey"}
	hours := web.Guard{Name: "hours", Doc: "Requires office hours."}
	page := web.Guard{Name: "page", Scheme: "pageCookie"}
	for _, c := range []struct {
		guards  []web.Guard
		schemes string
		says    string
	}{
		{nil, "", "Public."},
		{[]web.Guard{user}, "bearerAuth apiKey", "Requires a signed-in user."},
		{[]web.Guard{session, user}, "bearerAuth", "Requires a signed-in user; API keys are not accepted."},
		{[]web.Guard{user, session, admin}, "bearerAuth", "Requires a signed-in user; API keys are not accepted. Requires an administrator."},
		{[]web.Guard{user, user, hours}, "bearerAuth apiKey", "Requires a signed-in user. Requires office hours."},
		{[]web.Guard{page, session}, "pageCookie bearerAuth", "Requires: page. Requires a signed-in user; API keys are not accepted."},
	} {
		if got := strings.Join(schemes(c.guards), " "); got != c.schemes {
			t.Errorf("%s: schemes %q, not %q", c.says, got, c.schemes)
		}
		if got := description(web.Route{Guards: c.guards}); got != c.says {
			t.Errorf("it says %q, not %q", got, c.says)
		}
	}
}
