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

// RoleAdmin is the role that [Admin] asks for.
const RoleAdmin = "admin"

// Identity is the caller, as stored in the database at most [Staleness] ago.
type Identity struct {
	UserID    int64
	Username  string
	Role      string
	SessionID string   // empty for an API key
	KeyID     int64    // 0 unless an API key was used
	Scopes    []string // what an API key may do; a session may do what its user may
	ActorID   int64    // the administrator who impersonates the user; 0 for none
	Actor     string   // that administrator's username

	fresh   bool
	lacking bool // the second factor that its role requires
	alive   func(context.Context) (bool, error)
}

// Admin says whether the user is an administrator.
func (i Identity) Admin() bool { return i.Role == RoleAdmin }

// Fresh says whether the password had been checked in this session, within
// AUTH_FRESH, when the request came. An API key is never fresh.
func (i Identity) Fresh() bool { return i.fresh }

// self is a 403 fault for an actor who impersonates the user: how the user gets in is
// the user's own to change.
func (i Identity) self() error {
	if i.ActorID != 0 {
		return fault.Forbidden("Not allowed while impersonating a user")
	}
	return nil
}

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
// after logout, revocation, expiry, the end of the account or a change of its
// name or role, which the connection would keep. It is meant for
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
// named or what names them does not hold. It needs no guard on the route, so a
// public route can use it to show more to those it knows.
func From(c *gin.Context) (Identity, bool) {
	id, err := identify(c)
	return id, err == nil
}

// Known is [From], and also tells of users without the second factor that their role
// requires (AUTH_REQUIRE_FACTOR): for logging out, which nobody is kept from.
func Known(c *gin.Context) (Identity, bool) {
	id, err := identify(c)
	if a := ask(c); a != nil && err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.held == nil {
			return Identity{}, false
		}
		return *a.held, true
	}
	return id, err == nil
}

// PerUser is the rate limit key for a limit per user, however they authenticate
// (see [web.LimitBy]). It is empty for anonymous requests.
func PerUser(c *gin.Context) string {
	if id, ok := From(c); ok {
		return "user:" + strconv.FormatInt(id.UserID, 10)
	}
	return ""
}

// PerKey is the rate limit key for a limit per API key. It is empty for requests
// without one.
func PerKey(c *gin.Context) string {
	if id, ok := From(c); ok && id.KeyID != 0 {
		return "key:" + strconv.FormatInt(id.KeyID, 10)
	}
	return ""
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
	address string // where a request that may hash comes from; see addressOf

	mu   sync.Mutex
	done bool
	id   Identity
	err  error
	held *Identity // the user of the request, while a required second factor is missing
}

// resolve tells who sent the request, and looks that up once.
func (a *asker) resolve(ctx context.Context) (Identity, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.id, a.err = a.service.identify(ctx, a.request)
		a.done = true
		a.hold()
	}
	return a.id, a.err
}

// hold restricts a user without the second factor that their role requires to
// setting one up.
func (a *asker) hold() {
	if a.err == nil && a.id.lacking {
		held := a.id
		a.held, a.id, a.err = &held, Identity{}, factorRequired()
	}
}

// release admits a held user to this request.
func (a *asker) release(ctx context.Context) {
	_, _ = a.resolve(ctx) // the guard that follows asks again
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.held != nil {
		a.id, a.err = *a.held, nil
	}
}

// set sets who sent the request, overriding its headers, and returns why they may
// not proceed.
func (a *asker) set(id Identity, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id, a.err, a.done = id, err, true
	a.hold()
	return a.err
}

// addressOf is where the request of ctx comes from, for the queue of the hasher;
// "" for work that is no request.
func addressOf(ctx context.Context) string {
	if a, ok := ctx.Value(contextKey{}).(*asker); ok {
		return Client{Address: a.address}.network()
	}
	return ""
}

// LogAttrs is what the log says of who asks, for refusals; nothing until that was
// looked up.
func (a *asker) LogAttrs() []slog.Attr {
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

// actor is what [Service.Record] adds of an administrator who impersonates who asks;
// nothing for anybody else.
func (a *asker) actor() []slog.Attr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done || a.err != nil || a.id.ActorID == 0 {
		return nil
	}
	return []slog.Attr{slog.Int64("actor_id", a.id.ActorID), slog.String("session", a.id.SessionID)}
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
