package auth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

// User admits signed-in users, and API keys whose scopes cover the route: "read" for
// GET and HEAD, "write" for other methods and WebSockets, or "<module>:read" and
// "<module>:write" for the routes of that module, such as "posts:read". The name of a
// module is the OpenAPI tag of its routes.
//
// A scope covers routes, including rows of other tables that a route returns, such
// as the author of a post. The rules of those tables decide which rows a key may
// read, as they do for its user.
func User() web.Guard {
	return guard("user", "Requires a signed-in user.", tokenOrKey, func(Identity) error { return nil })
}

// Admin admits administrators.
func Admin() web.Guard {
	return guard("admin", "Requires an administrator.", tokenOrKey, func(id Identity) error {
		if !id.Admin() {
			return forbidden()
		}
		return nil
	})
}

// Role admits users with one of the roles.
func Role(roles ...string) web.Guard {
	return guard("role:"+strings.Join(roles, "|"), "Requires the role "+strings.Join(roles, " or ")+".", tokenOrKey, func(id Identity) error {
		if !slices.Contains(roles, id.Role) {
			return forbidden()
		}
		return nil
	})
}

// scopeGuard is the prefix of the names of guards made by [Scope].
const scopeGuard = "scope:"

// Scope admits signed-in users, and API keys that have the scope; see [Identity.Can].
func Scope(scope string) web.Guard {
	g := guard(scopeGuard+scope, "Requires a signed-in user or an API key with the scope "+scope+".", tokenOrKey, nil)
	g.Check = func(c *gin.Context) error {
		id, err := identify(c)
		if err != nil {
			return err
		}
		if !id.Can(scope) {
			return missingScope(scope)
		}
		return nil
	}
	return g
}

// Session admits signed-in users but not API keys. Use it for routes that manage the
// account itself, so that a leaked key cannot take it over.
func Session() web.Guard {
	return guard("session", "Requires a signed-in user; API keys are not accepted.", tokenOnly, func(id Identity) error {
		if id.SessionID == "" {
			return forbidden()
		}
		return nil
	})
}

// Self is [Session] for routes that change how the user logs in: it also rejects actors
// who impersonate the user (see [Service.Impersonate]).
func Self() web.Guard {
	return guard("self", "Requires a signed-in user; API keys and impersonation are not accepted.", tokenOnly, func(id Identity) error {
		if id.SessionID == "" {
			return forbidden()
		}
		return id.self()
	})
}

// Fresh is [Session] for sensitive operations: the password must have been checked
// within AUTH_FRESH (ASVS 5, 7.5.3). Otherwise the response is 403, and the client asks
// for the password and confirms it.
func Fresh() web.Guard {
	return guard("fresh", "Requires a signed-in user who confirmed the password recently.", tokenOnly, func(id Identity) error {
		if id.SessionID == "" {
			return forbidden()
		}
		if !id.Fresh() {
			return notFresh()
		}
		return nil
	})
}

// Enrolling wraps a guard so that it also admits users without the second factor
// that their role requires (AUTH_REQUIRE_FACTOR). Use it for the routes that set up
// or confirm a second factor: until then, every other route that requires a user
// responds with 403.
func Enrolling(g web.Guard) web.Guard {
	check := g.Check
	g.Check = func(c *gin.Context) error {
		if a := requestAuthOf(c); a != nil {
			a.release(c.Request.Context())
		}
		return check(c)
	}
	return g
}

// OpenAPI security schemes that the guards accept.
const (
	tokenOnly  = "bearerAuth"
	tokenOrKey = "bearerAuth apiKey"
)

func guard(name, doc, schemes string, allow func(Identity) error) web.Guard {
	return web.Guard{
		Name: name, Doc: doc, Scheme: schemes, Status: []int{http.StatusUnauthorized, http.StatusForbidden},
		Check: func(c *gin.Context) error {
			id, err := identify(c)
			if err != nil {
				return err
			}
			if verb := verbOf(c.Request); !id.covers(verb, web.ModuleOf(c)) {
				return missingScope(verb)
			}
			return allow(id)
		},
	}
}

// covers reports whether the scopes cover a route of the module, for guards that name
// no scope.
func (i Identity) covers(verb, module string) bool {
	return i.Can(verb) || module != "" && i.Can(module+":"+verb)
}

// verbOf returns the scope that a request needs. A request that upgrades the protocol,
// such as a WebSocket handshake, needs "write" although its method is GET.
func verbOf(r *http.Request) string {
	_, upgrades := r.Header["Upgrade"]
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !upgrades {
		return "read"
	}
	return "write"
}
