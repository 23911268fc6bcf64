package web

import (
	"context"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Module is one part of an application: plain data that New mounts. Every
// field but Name may be empty.
type Module struct {
	Name   string  // one word; the tag of its routes in OpenAPI
	Doc    string  // one sentence about the module, for OpenAPI
	Prefix string  // where its routes are mounted; see Under
	Routes []Route // what it serves
	// Deprecated says that another version of the module takes its place.
	Deprecated Deprecation
	Use        []gin.HandlerFunc // middleware around every route of the application, in list order
	Commands   []command.Command // what it adds to the program's command line
	// Start runs once before the application serves, or does a command that
	// Starts; an error stops it.
	Start func(ctx context.Context) error
	// Run works in the background while the application serves, and returns
	// when ctx ends. An error stops the application.
	Run func(ctx context.Context) error
	// Around surrounds every piece of work that Background is asked to do while
	// the application serves or does a command that Starts, as Use surrounds
	// requests.
	Around func(ctx context.Context, work Work) error
	// Stop runs when requests and background work, or the command, have ended.
	// It has until ctx ends: 3 seconds, and less where those took long.
	Stop func(ctx context.Context)
	// Err is what went wrong while the module was made; New returns it.
	Err error
	// Ready says whether the module can do its work now; nil means always.
	Ready func(ctx context.Context) error
	// Count counts one request of a client for the rate limit, in common with
	// other replicas, and returns how many the client has made in its window,
	// this one included, and how long the window lasts yet. Where it fails, or
	// does not answer within 250 ms, each replica counts by itself. Of several
	// modules that have it the last one counts.
	Count func(ctx context.Context, client netip.Addr, r Rate) (n int, reset time.Duration, err error)
	// Refused finds further errors in a request body that has failed validation or
	// refers to a missing row, so that one response reports them all. It receives the
	// response type of the route and a function that returns the values sent, by key: one
	// map for each element of a list, or a single one. The index in a detail is that of
	// the element. It is not called for bodies that are accepted.
	Refused func(ctx context.Context, out reflect.Type, sent func() []map[string]any) []fault.Detail
}

// Under returns the module with its routes mounted below prefix.
func (m Module) Under(prefix string) Module {
	m.Prefix = prefix + m.Prefix
	return m
}

// With returns the module with Gin middleware around each of its routes, after
// their guards and before their own middleware.
func (m Module) With(h ...gin.HandlerFunc) Module {
	m.Routes = slices.Clone(m.Routes)
	for i, r := range m.Routes {
		m.Routes[i].Before = slices.Concat(h, r.Before)
	}
	return m
}

// None is the input of a handler that reads nothing and the output of one that
// answers 204 with no body.
type None struct{}

// Guard lets a request through to a route, or not. It is data, so that
// OpenAPI and the routes command can show it.
type Guard struct {
	Name   string                   // as shown by the routes command: "user", "admin", "scope:posts:write"
	Doc    string                   // what it requires, one sentence for OpenAPI; may be empty
	Scheme string                   // the OpenAPI security scheme, or several of which one will do: "bearerAuth", "bearerAuth apiKey", a cookie's name; empty for none
	Status []int                    // the error statuses it can answer, for OpenAPI: 401, 403
	Check  func(*gin.Context) error // nil lets the request pass
}

// Route is one method and path with what serves it. Make one with Get, Post,
// Put, Patch, Delete or Handle, and refine it with its methods, each of which
// returns a changed copy.
type Route struct {
	Method    string
	Path      string // Gin's syntax, below the module's prefix: "/posts/:id"
	Summary   string
	Details   string       // the description shown in OpenAPI below the summary; may be empty
	Operation string       // the operation id in OpenAPI; empty for one made from method and path
	Success   int          // the status of a success: 200, 201 or 204
	In        reflect.Type // nil for a plain Gin handler
	Out       reflect.Type // nil for a plain Gin handler
	Faults    []int        // further error statuses it can answer, for OpenAPI
	Guards    []Guard
	Before    []gin.HandlerFunc // middleware of this route alone
	MaxBody   int64             // bytes; 0 means the application's limit
	Hidden    bool              // left out of OpenAPI
	Lock      bool              // a request without If-Match is 428; see Locked
	Upload    string            // the field of the file in a body that is a form, which the handler reads, for OpenAPI; empty for none
	// Sent are the media types of a plain handler's success, for OpenAPI.
	Sent []string
	// Parts says that the handler answers with Content, for OpenAPI.
	Parts bool
	// MessageIn and MessageOut are what a WebSocket takes and sends; see Messages.
	MessageIn, MessageOut reflect.Type
	// Development is set by Dev.
	Development bool
	// Deadline is how long a request may take, its body's arrival and the
	// answer's departure included; 0 means the application's limits, less than
	// 0 none.
	Deadline time.Duration

	handler gin.HandlerFunc                      // of a plain route
	bind    func(Route, *rules) (binding, error) // of a typed one
}

// binding is what a typed route becomes when New mounts it.
type binding struct {
	serve   gin.HandlerFunc
	matches func(*gin.Context) bool // whether the values in the path are ones of this route
}

// Handler is what a typed route calls: in is decoded from the request and has
// passed its rules; out is written as JSON.
type Handler[In, Out any] func(c *gin.Context, in In) (Out, error)

// Get makes a route that reads.
func Get[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodGet, path, h)
}

// Post makes a route that creates: 201, or 204 when Out is None.
func Post[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodPost, path, h)
}

// Put makes a route that changes.
func Put[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodPut, path, h)
}

// Patch makes a route that changes a part.
func Patch[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodPatch, path, h)
}

// Delete makes a route that removes.
func Delete[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodDelete, path, h)
}

// Handle makes a route of a plain Gin handler, which binds and answers itself.
func Handle(method, path string, h gin.HandlerFunc) Route {
	return Route{Method: method, Path: path, Success: http.StatusOK, handler: h}
}

// Doc sets the summary shown in OpenAPI and by the routes command.
func (r Route) Doc(summary string) Route { r.Summary = summary; return r }

// Describe sets the description shown in OpenAPI below the summary.
func (r Route) Describe(text string) Route { r.Details = text; return r }

// ID sets the operation id in OpenAPI, which clients make function names of:
// a verb and a noun, such as "publishPost".
func (r Route) ID(id string) Route { r.Operation = id; return r }

// Returns sets the status of a success. A route that returns 101, as for a
// WebSocket, has no deadline unless Within sets one.
func (r Route) Returns(status int) Route { r.Success = status; return r }

// Fails names error statuses that the route can answer besides those that
// follow from its input and guards.
func (r Route) Fails(status ...int) Route {
	r.Faults = append(r.Faults[:len(r.Faults):len(r.Faults)], status...)
	return r
}

// Guard adds guards, checked in order before anything is read.
func (r Route) Guard(g ...Guard) Route {
	r.Guards = append(r.Guards[:len(r.Guards):len(r.Guards)], g...)
	return r
}

// With adds Gin middleware to this route alone.
func (r Route) With(h ...gin.HandlerFunc) Route {
	r.Before = append(r.Before[:len(r.Before):len(r.Before)], h...)
	return r
}

// Limit sets how many bytes the request's body may have.
func (r Route) Limit(bytes int64) Route { r.MaxBody = bytes; return r }

// Within sets how long a request may take, its body's arrival and the answer's
// departure included: for large uploads, downloads and streams. Less than 0
// sets no limit.
func (r Route) Within(d time.Duration) Route { r.Deadline = d; return r }

// Locked asks for If-Match on a route that writes, so that nobody overwrites
// what they have not seen: 428 without it, 412 where it names another state (RFC
// 6585, 3).
func (r Route) Locked() Route { r.Lock = true; return r }

// Uploads says that the body is multipart/form-data with a file in the field,
// or several in any fields, for OpenAPI. The handler reads it.
func (r Route) Uploads(field string) Route { r.Upload = field; return r }

// Sends names the media types of a plain handler's success, for OpenAPI.
func (r Route) Sends(types ...string) Route { r.Sent = types; return r }

// Messages names the types of a WebSocket's messages by a value of each: what the
// server takes and what it sends. OpenAPI has no word for them, so they are in the
// document's extension x-websocket, which typed clients are made of.
func (r Route) Messages(in, out any) Route {
	r.MessageIn, r.MessageOut = reflect.TypeOf(in), reflect.TypeOf(out)
	return r
}

// InParts says that a plain handler answers with Content, for OpenAPI: besides
// the whole with parts, 304, 412 and 416.
func (r Route) InParts() Route { r.Parts = true; return r }

// Hide leaves the route out of OpenAPI.
func (r Route) Hide() Route { r.Hidden = true; return r }
