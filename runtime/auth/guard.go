package auth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

// User lets through whoever is signed in, and API keys whose scopes cover the
// route: "read" for GET and HEAD, "write" for the rest and for WebSockets, or
// "<module>:read" and "<module>:write" for the routes of that module, such as
// "posts:read". A module's name is the tag of its routes in OpenAPI.
//
// A scope covers routes, including rows of other tables that a route returns, such
// as the author of a post. The rules of those tables decide which rows a key may
// read, as they do for its user.
func User() web.Guard {
	return guard("user", "Requires a signed-in user or an API key.", tokenOrKey, func(Identity) error { return nil })
}

// Admin lets administrators through.
func Admin() web.Guard {
	return guard("admin", "Requires an administrator.", tokenOrKey, func(id Identity) error {
		if !id.Admin() {
			return forbidden()
		}
		return nil
	})
}

// Role lets through who has one of the roles.
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

// Scope lets through who is signed in, and API keys that have the scope; see
// [Identity.Can].
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

// Session lets through who is signed in, and no API key. It is for what
// manages the account itself, so that a leaked key cannot take it over.
func Session() web.Guard {
	return guard("session", "Requires a signed-in user; API keys are not accepted.", tokenOnly, func(id Identity) error {
		if id.SessionID == "" {
			return forbidden()
		}
		return nil
	})
}

// Self is Session for what decides how the user gets in: it also refuses actors who
// impersonate the user (see [Service.Impersonate]).
func Self() web.Guard {
	return guard("self", "Requires a signed-in user; API keys and impersonation are not accepted.", tokenOnly, func(id Identity) error {
		if id.SessionID == "" {
			return forbidden()
		}
		return id.self()
	})
}

// Fresh is Session for sensitive operations: the password must have been
// checked within AUTH_FRESH (ASVS 5, 7.5.3). Otherwise 403, and the client asks
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
		if a := ask(c); a != nil {
			a.release(c.Request.Context())
		}
		return check(c)
	}
	return g
}

// The security schemes of OpenAPI that the guards accept.
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

// covers says whether the scopes reach a route of the module, for guards that
// name none.
func (i Identity) covers(verb, module string) bool {
	return i.Can(verb) || module != "" && i.Can(module+":"+verb)
}

// verbOf is what a request does. One that asks for another protocol, such as
// the handshake of a WebSocket, may write from then on, though its method is GET.
func verbOf(r *http.Request) string {
	_, upgrades := r.Header["Upgrade"]
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !upgrades {
		return "read"
	}
	return "write"
}
