package auth

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// RoleAdmin is the role that [Admin] requires.
const RoleAdmin = "admin"

// Identity is the caller, as stored in the database at most [Staleness] ago.
type Identity struct {
	UserID    int64
	Username  string
	Role      string
	SessionID string   // empty for an API key
	KeyID     int64    // 0 unless an API key was used
	Scopes    []string // what an API key may do; a session has every right of its user
	ActorID   int64    // the administrator who impersonates the user; 0 for none
	Actor     string   // that administrator's username

	fresh       bool
	lacksFactor bool // lacks the second factor that its role requires
	alive       func(context.Context) (bool, error)
}

// Admin reports whether the user is an administrator.
func (i Identity) Admin() bool { return i.Role == RoleAdmin }

// Fresh reports whether the password had been checked in this session within AUTH_FRESH
// when the request arrived. An API key is never fresh.
func (i Identity) Fresh() bool { return i.fresh }

// self returns a 403 fault for an actor who impersonates the user: only the user may
// change how they log in.
func (i Identity) self() error {
	if i.ActorID != 0 {
		return fault.Forbidden("Not allowed while impersonating a user")
	}
	return nil
}

// Can reports whether the scope is granted. A session has every scope. A key has those
// listed; "write" grants every ":write" and ":read" scope, "read" every ":read" one,
// and "posts:write" grants "posts:read".
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

// Recheck reports whether the session or key is still valid. It returns a 401 fault
// after logout, revocation, expiry, deactivation of the account or a change of its name
// or role, which the connection would otherwise keep. It is meant for long-lived
// connections; called once a second it costs one query per [Staleness].
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

// From returns who sent the request, identified by access token (Authorization:
// Bearer), by X-API-Key or, behind [Page], by session cookie. It returns false if there
// are no valid credentials. It needs no guard on the route, so a public route can use
// it to show more to signed-in users.
func From(c *gin.Context) (Identity, bool) {
	id, err := identify(c)
	return id, err == nil
}

// Known is [From], but also returns users without the second factor that their role
// requires (AUTH_REQUIRE_FACTOR): logging out is open to them too.
func Known(c *gin.Context) (Identity, bool) {
	id, err := identify(c)
	if a := requestAuthOf(c); a != nil && err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.restricted == nil {
			return Identity{}, false
		}
		return *a.restricted, true
	}
	return id, err == nil
}

// PerUser returns the rate limit key for a limit per user, however they authenticate
// (see [web.LimitBy]). It is empty for anonymous requests.
func PerUser(c *gin.Context) string {
	if id, ok := From(c); ok {
		return "user:" + strconv.FormatInt(id.UserID, 10)
	}
	return ""
}

// PerKey returns the rate limit key for a limit per API key. It is empty for requests
// without one.
func PerKey(c *gin.Context) string {
	if id, ok := From(c); ok && id.KeyID != 0 {
		return "key:" + strconv.FormatInt(id.KeyID, 10)
	}
	return ""
}

// Of returns the Service that [Service.Middleware] stored in the request's context, or
// nil without that middleware.
func Of(c *gin.Context) *Service {
	if a := requestAuthOf(c); a != nil {
		return a.service
	}
	return nil
}

type contextKey struct{}

// requestAuth is the state that the middleware stores in the context of a request.
type requestAuth struct {
	service *Service
	request *http.Request
	address string // source of a request that may hash; see addressOf

	mu         sync.Mutex
	done       bool
	id         Identity
	err        error
	restricted *Identity // the user, while a required second factor is missing
}

// resolve returns who sent the request. The lookup is done once.
func (a *requestAuth) resolve(ctx context.Context) (Identity, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.id, a.err = a.service.identify(ctx, a.request)
		a.done = true
		a.restrict()
	}
	return a.id, a.err
}

// restrict restricts a user without the second factor that their role requires to setting
// one up.
func (a *requestAuth) restrict() {
	if a.err == nil && a.id.lacksFactor {
		restricted := a.id
		a.restricted, a.id, a.err = &restricted, Identity{}, factorRequired()
	}
}

// release admits a restricted user to this request.
func (a *requestAuth) release(ctx context.Context) {
	_, _ = a.resolve(ctx) // the guard that follows reports the error
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.restricted != nil {
		a.id, a.err = *a.restricted, nil
	}
}

// set overrides who sent the request, whatever its headers say, and returns why they
// may not proceed.
func (a *requestAuth) set(id Identity, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id, a.err, a.done = id, err, true
	a.restrict()
	return a.err
}

// addressOf returns where the request of ctx comes from, for the queue of the hasher;
// "" outside of a request.
func addressOf(ctx context.Context) string {
	if a, ok := ctx.Value(contextKey{}).(*requestAuth); ok {
		return Client{Address: a.address}.network()
	}
	return ""
}

// LogAttrs returns the log attributes of the caller, for rejected requests; nil until
// the caller was looked up.
func (a *requestAuth) LogAttrs() []slog.Attr {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.done || a.err != nil:
		return nil
	case a.id.KeyID != 0:
		return []slog.Attr{slog.Int64("user_id", a.id.UserID), slog.Int64("key", a.id.KeyID)}
	}
	attrs := []slog.Attr{slog.Int64("user_id", a.id.UserID), slog.String("session", a.id.SessionID)}
	if a.id.ActorID != 0 {
		attrs = append(attrs, slog.Int64("actor_id", a.id.ActorID))
	}
	return attrs
}

// actor returns the attributes that [Service.Record] adds for an administrator who
// impersonates the caller; nil if there is none.
func (a *requestAuth) actor() []slog.Attr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done || a.err != nil || a.id.ActorID == 0 {
		return nil
	}
	return []slog.Attr{slog.Int64("actor_id", a.id.ActorID), slog.String("session", a.id.SessionID)}
}

func requestAuthOf(c *gin.Context) *requestAuth {
	a, _ := c.Request.Context().Value(contextKey{}).(*requestAuth)
	return a
}

// identify returns who sent the request of c.
func identify(c *gin.Context) (Identity, error) {
	a := requestAuthOf(c)
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

// subprotocol returns the token of a WebSocket handshake by a browser, which cannot set
// headers: the first subprotocol, "bearer.<token>".
func subprotocol(r *http.Request) (string, bool) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return "", false
	}
	first, _, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	return strings.CutPrefix(strings.TrimSpace(first), "bearer.")
}
