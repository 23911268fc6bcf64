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
// "<segment>:read" and "<segment>:write" for the routes whose path holds that
// segment.
func User() web.Guard {
	return guard("user", "Requires a signed-in user or an API key.", tokenOrKey, func(c *gin.Context, id Identity) error { return nil })
}

// Admin lets administrators through.
func Admin() web.Guard {
	return guard("admin", "Requires an administrator.", tokenOrKey, func(c *gin.Context, id Identity) error {
		if !id.Admin() {
			return forbidden()
		}
		return nil
	})
}

// Role lets through who has one of the roles.
func Role(roles ...string) web.Guard {
	return guard("role:"+strings.Join(roles, "|"), "Requires the role "+strings.Join(roles, " or ")+".", tokenOrKey, func(c *gin.Context, id Identity) error {
		if !slices.Contains(roles, id.Role) {
			return forbidden()
		}
		return nil
	})
}

// Scope lets through who is signed in, and API keys that have the scope; see
// [Identity.Can].
func Scope(scope string) web.Guard {
	g := guard("scope:"+scope, "Requires a signed-in user or an API key with the scope "+scope+".", tokenOrKey, nil)
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
	return guard("session", "Requires a signed-in user; API keys are not accepted.", tokenOnly, func(c *gin.Context, id Identity) error {
		if id.SessionID == "" {
			return forbidden()
		}
		return nil
	})
}

// Fresh is Session for sensitive operations: the password must have been
// checked within AUTH_FRESH (ASVS 5, 7.5.3). Otherwise 403, and the client asks
// for the password and confirms it.
func Fresh() web.Guard {
	return guard("fresh", "Requires a signed-in user who confirmed the password recently.", tokenOnly, func(c *gin.Context, id Identity) error {
		if id.SessionID == "" {
			return forbidden()
		}
		if !id.Fresh() {
			return notFresh()
		}
		return nil
	})
}

// The security schemes of OpenAPI that the guards accept.
const (
	tokenOnly  = "bearerAuth"
	tokenOrKey = "bearerAuth apiKey"
)

func guard(name, doc, schemes string, allow func(*gin.Context, Identity) error) web.Guard {
	return web.Guard{
		Name: name, Doc: doc, Scheme: schemes, Status: []int{http.StatusUnauthorized, http.StatusForbidden},
		Check: func(c *gin.Context) error {
			id, err := identify(c)
			if err != nil {
				return err
			}
			if verb := verbOf(c.Request); !id.covers(verb, c.FullPath()) {
				return missingScope(verb)
			}
			return allow(c, id)
		},
	}
}

// covers says whether the scopes reach the route, for guards that name none.
func (i Identity) covers(verb, path string) bool {
	if i.KeyID == 0 {
		return true
	}
	if i.Can(verb) {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && segment[0] != ':' && segment[0] != '*' && i.Can(segment+":"+verb) {
			return true
		}
	}
	return false
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
