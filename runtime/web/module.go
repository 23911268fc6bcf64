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

// Module is one part of an application: plain data that New mounts. Every field
// except Name is optional.
type Module struct {
	Name   string // one word; the tag of its routes in OpenAPI
	Doc    string // one sentence for OpenAPI
	Prefix string // path prefix of its routes; see Under
	Routes []Route
	// Deprecated announces that another version of the module replaces this one.
	Deprecated Deprecation
	Use        []gin.HandlerFunc // middleware for every route of the application, in order
	Commands   []command.Command // commands added to the program
	// Start runs once before the application serves, or before a command that sets
	// Starts. An error aborts the start.
	Start func(ctx context.Context) error
	// Run does background work while the application serves, and returns when ctx is
	// done. An error stops the application.
	Run func(ctx context.Context) error
	// Around wraps every unit of work passed to Background while the application
	// serves or runs a command that sets Starts, as Use wraps requests.
	Around func(ctx context.Context, work Work) error
	// Stop runs after requests and background work, or the command, have ended. ctx
	// is done after 3 seconds, or sooner if those took long.
	Stop func(ctx context.Context)
	// Err is an error from building the module. New returns it.
	Err error
	// Ready returns an error while the module cannot do its work; nil means always
	// ready.
	Ready func(ctx context.Context) error
	// Count counts one request of a client for the rate limit, across all replicas.
	// It returns the number of requests of the client in the window, this one
	// included, and the time until the window ends. If it fails or takes longer than
	// 250 ms, the replica counts on its own. If several modules set Count, the last
	// one is used.
	Count func(ctx context.Context, client netip.Addr, r Rate) (n int, reset time.Duration, err error)
	// Refused finds further errors in a request body that failed validation or refers
	// to a missing row, so that one response reports them all. It receives the
	// response type of the route and a function that returns the submitted values by
	// key: one map per element of a list, or a single map. The index in a detail is
	// that of the element. It is not called for valid bodies.
	Refused func(ctx context.Context, out reflect.Type, sent func() []map[string]any) []fault.Detail
}

// Under returns a copy of the module with its routes mounted under prefix.
func (m Module) Under(prefix string) Module {
	m.Prefix = prefix + m.Prefix
	return m
}

// With returns a copy of the module with Gin middleware added to each of its routes,
// after their guards and before their own middleware.
func (m Module) With(h ...gin.HandlerFunc) Module {
	m.Routes = slices.Clone(m.Routes)
	for i, r := range m.Routes {
		m.Routes[i].Before = slices.Concat(h, r.Before)
	}
	return m
}

// None is the input of a handler that reads nothing and the output of one that
// responds with 204 and no body.
type None struct{}

// Guard decides whether a request may reach a route. It is data, so that OpenAPI and
// the routes command can show it.
type Guard struct {
	Name   string                   // as printed by the routes command: "user", "admin", "scope:posts:write"
	Doc    string                   // what it requires, in one sentence for OpenAPI; optional
	Scheme string                   // the OpenAPI security scheme, or alternatives separated by spaces: "bearerAuth", "bearerAuth apiKey", a cookie's name; empty if none
	Status []int                    // the error statuses it can return, for OpenAPI: 401, 403
	Check  func(*gin.Context) error // nil lets the request pass
}

// Route is a method, a path and their handler. Make one with Get, Post, Put, Patch,
// Delete or Handle, and refine it with its methods, each of which returns a modified
// copy.
type Route struct {
	Method    string
	Path      string // Gin's syntax, below the module's prefix: "/posts/:id"
	Summary   string
	Details   string       // the OpenAPI description; optional
	Operation string       // the OpenAPI operation id; derived from method and path if empty
	Success   int          // the status on success: usually 200, 201 or 204
	In        reflect.Type // nil for a plain Gin handler
	Out       reflect.Type // nil for a plain Gin handler
	Faults    []int        // further error statuses, for OpenAPI
	Guards    []Guard
	Before    []gin.HandlerFunc // middleware of this route only
	MaxBody   int64             // bytes; 0 means 1 MiB
	Hidden    bool              // omitted from OpenAPI
	Lock      bool              // requires If-Match, with 428 if it is missing; see Locked
	Upload    string            // the file field of a multipart body that the handler reads, for OpenAPI; empty if none
	// Sent lists the media types of a plain handler's success response, for OpenAPI.
	Sent []string
	// Parts tells OpenAPI that the handler responds with Content.
	Parts bool
	// MessageIn and MessageOut are the types of a WebSocket's messages; see Messages.
	MessageIn, MessageOut reflect.Type
	// Development is set by Dev.
	Development bool
	// Deadline limits the time of a request, from reading its body to writing the
	// response. 0 means the application's limits, a negative value none.
	Deadline time.Duration

	handler gin.HandlerFunc                      // of a plain route
	bind    func(Route, *rules) (binding, error) // of a typed route
}

// binding is a typed route once New has mounted it.
type binding struct {
	serve   gin.HandlerFunc
	matches func(*gin.Context) bool // reports whether the path parameters are valid for this route
}

// Handler is the function behind a typed route. in has been decoded from the request
// and validated; out is written as JSON.
type Handler[In, Out any] func(c *gin.Context, in In) (Out, error)

// Get returns a GET route.
func Get[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodGet, path, h)
}

// Post returns a POST route that responds with 201, or 204 if Out is None.
func Post[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodPost, path, h)
}

// Put returns a PUT route.
func Put[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodPut, path, h)
}

// Patch returns a PATCH route.
func Patch[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodPatch, path, h)
}

// Delete returns a DELETE route.
func Delete[In, Out any](path string, h Handler[In, Out]) Route {
	return typed(http.MethodDelete, path, h)
}

// Handle returns a route with a plain Gin handler, which does its own binding and
// writing.
func Handle(method, path string, h gin.HandlerFunc) Route {
	return Route{Method: method, Path: path, Success: http.StatusOK, handler: h}
}

// Doc sets the summary shown in OpenAPI and by routes --json.
func (r Route) Doc(summary string) Route { r.Summary = summary; return r }

// Describe sets the description shown in OpenAPI below the summary.
func (r Route) Describe(text string) Route { r.Details = text; return r }

// ID sets the operation id in OpenAPI, from which clients derive function names: a
// verb and a noun, such as "publishPost".
func (r Route) ID(id string) Route { r.Operation = id; return r }

// Returns sets the status on success. A route that returns 101, such as a WebSocket,
// has no deadline unless Within sets one.
func (r Route) Returns(status int) Route { r.Success = status; return r }

// Fails adds error statuses to those that follow from the route's input and guards.
func (r Route) Fails(status ...int) Route {
	r.Faults = append(r.Faults[:len(r.Faults):len(r.Faults)], status...)
	return r
}

// Guard adds guards, which are checked in order before the request is decoded.
func (r Route) Guard(g ...Guard) Route {
	r.Guards = append(r.Guards[:len(r.Guards):len(r.Guards)], g...)
	return r
}

// With adds Gin middleware to this route only.
func (r Route) With(h ...gin.HandlerFunc) Route {
	r.Before = append(r.Before[:len(r.Before):len(r.Before)], h...)
	return r
}

// Limit sets the maximum size of the request body in bytes.
func (r Route) Limit(bytes int64) Route { r.MaxBody = bytes; return r }

// Within limits the time of a request, from reading its body to writing the response:
// for large uploads, downloads and streams. A negative duration removes the limit.
func (r Route) Within(d time.Duration) Route { r.Deadline = d; return r }

// Locked requires If-Match on a route that writes, so that clients do not overwrite
// changes that they have not seen: 428 if it is missing, 412 if it does not match
// (RFC 6585, 3).
func (r Route) Locked() Route { r.Lock = true; return r }

// Uploads tells OpenAPI that the body is multipart/form-data with a file in the
// field, or several in any fields. The handler reads it.
func (r Route) Uploads(field string) Route { r.Upload = field; return r }

// Sends sets the media types of a plain handler's success response, for OpenAPI.
func (r Route) Sends(types ...string) Route { r.Sent = types; return r }

// Messages sets the types of a WebSocket's messages by a value of each: in for those
// that the server receives, out for those that it sends. OpenAPI cannot describe
// them, so they appear in the x-websocket extension of the document, from which typed
// clients are generated.
func (r Route) Messages(in, out any) Route {
	r.MessageIn, r.MessageOut = reflect.TypeOf(in), reflect.TypeOf(out)
	return r
}

// InParts tells OpenAPI that a plain handler responds with Content: besides 200 it
// documents 206, 304, 412 and 416.
func (r Route) InParts() Route { r.Parts = true; return r }

// Hide omits the route from OpenAPI.
func (r Route) Hide() Route { r.Hidden = true; return r }
