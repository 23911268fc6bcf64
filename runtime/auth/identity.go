package auth

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// RoleAdmin is the role that [Admin] asks for.
const RoleAdmin = "admin"

// Identity is who asks, as the database said at most [Staleness] ago.
type Identity struct {
	UserID    int64
	Username  string
	Role      string
	SessionID string   // empty for an API key
	KeyID     int64    // 0 unless an API key was used
	Scopes    []string // what an API key may do; a session may do what its user may

	fresh bool
	alive func(context.Context) (bool, error)
}

// Admin says whether the user is an administrator.
func (i Identity) Admin() bool { return i.Role == RoleAdmin }

// Fresh says whether the password had been checked in this session, within
// AUTH_FRESH, when the request came. An API key is never fresh.
func (i Identity) Fresh() bool { return i.fresh }

// Can says whether the scope is granted. A session has every scope. A key has
// those it lists; "write" grants every ":write" and ":read" scope, "read" every
// ":read" one, and "posts:write" grants "posts:read".
func (i Identity) Can(scope string) bool {
	if i.KeyID == 0 {
		return true
	}
	wanted := []string{scope}
	noun, verb, two := strings.Cut(scope, ":")
	if two && (verb == "read" || verb == "write") {
		wanted = append(wanted, verb)
	} else if !two {
		verb = scope
	}
	if verb == "read" {
		wanted = append(wanted, "write")
		if two {
			wanted = append(wanted, noun+":write")
		}
	}
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(i.Scopes, w) })
}

// Recheck says whether the session or key still holds: nil, or a 401 fault
// after logout, revocation, expiry or the end of the account. It is meant for
// long connections; called once a second it costs a query every [Staleness].
func (i Identity) Recheck(ctx context.Context) error {
	if i.alive == nil {
		return unauthenticated()
	}
	ok, err := i.alive(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return invalidToken()
	}
	return nil
}

// From tells who sent the request: by access token (Authorization: Bearer), by
// X-API-Key or, behind [Page], by session cookie. It is false when nobody is
// named or what names him does not hold. It needs no guard on the route, so a
// public route can use it to show more to those it knows.
func From(c *gin.Context) (Identity, bool) {
	id, err := identify(c)
	return id, err == nil
}

// Of returns the Service that the middleware put into the request's context,
// or nil without that middleware.
func Of(c *gin.Context) *Service {
	if a := ask(c); a != nil {
		return a.service
	}
	return nil
}

type contextKey struct{}

// asker is what the middleware leaves in the context of a request.
type asker struct {
	service *Service
	request *http.Request

	mu   sync.Mutex
	done bool
	id   Identity
	err  error
}

// resolve tells who sent the request, and looks that up once.
func (a *asker) resolve(ctx context.Context) (Identity, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.id, a.err = a.service.identify(ctx, a.request)
		a.done = true
	}
	return a.id, a.err
}

// set says who sent the request, in place of what its headers say.
func (a *asker) set(id Identity, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id, a.err, a.done = id, err, true
}

func ask(c *gin.Context) *asker {
	a, _ := c.Request.Context().Value(contextKey{}).(*asker)
	return a
}

// identify tells who sent the request of c.
func identify(c *gin.Context) (Identity, error) {
	a := ask(c)
	if a == nil {
		return Identity{}, fault.Internal(errNoMiddleware)
	}
	return a.resolve(c.Request.Context())
}

func (s *Service) identify(ctx context.Context, r *http.Request) (Identity, error) {
	header := r.Header
	switch values := header["Authorization"]; len(values) {
	case 0:
	case 1:
		scheme, token, _ := strings.Cut(values[0], " ")
		if !strings.EqualFold(scheme, "bearer") {
			return Identity{}, unauthenticated()
		}
		return s.Authenticate(ctx, strings.TrimSpace(token))
	default:
		return Identity{}, invalidToken()
	}
	if values := header["X-Api-Key"]; len(values) == 1 {
		return s.authenticateKey(ctx, values[0])
	}
	if token, ok := subprotocol(r); ok {
		return s.Authenticate(ctx, token)
	}
	return Identity{}, unauthenticated()
}

// subprotocol is how a browser sends a token at a WebSocket handshake, where
// it cannot set headers: the first subprotocol, "bearer.<token>".
func subprotocol(r *http.Request) (string, bool) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return "", false
	}
	first, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	return strings.CutPrefix(strings.TrimSpace(first), "bearer.")
}
