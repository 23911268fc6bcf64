package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// errNoRoute marks a path that matches no route, although Gin finds one: GET
// /posts/bulk matches /posts/:id, but "bulk" is not an id.
var errNoRoute = errors.New("no route matches")

func noRoute() error {
	return &fault.Error{Status: http.StatusNotFound, Message: "Not found", Cause: errNoRoute}
}

// unmatched responds to a request that matches no route of its method: with the
// methods allowed on its path, and 405, or 204 for OPTIONS (RFC 9110, 9.3.7 and
// 15.5.6). A path without allowed methods gets 404.
func (a *App) unmatched(c *gin.Context) {
	allowed := a.allowed(c)
	if len(allowed) == 0 {
		c.Writer.Header().Del("Allow") // set by Gin, from routes that the path does not match
		Fail(c, noRoute())
		return
	}
	if c.Request.Method == http.MethodOptions {
		c.Header("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
		c.AbortWithStatus(http.StatusNoContent)
		return
	}
	c.Header("Allow", strings.Join(allowed, ", "))
	Fail(c, &fault.Error{Status: http.StatusMethodNotAllowed, Message: "Method not allowed"})
}

// matched calls serve, and unmatched if it failed with errNoRoute.
func (a *App) matched(serve gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		serve(c)
		if last := c.Errors.Last(); last != nil && errors.Is(last.Err, errNoRoute) {
			c.Errors = c.Errors[:len(c.Errors)-1]
			a.unmatched(c)
		}
	}
}

// allowed returns the methods of the routes that match the request's path. It skips
// those of the pattern that Gin has matched, since the parameters are invalid for it.
func (a *App) allowed(c *gin.Context) []string {
	own := c.Params
	defer func() { c.Params = own }()
	var methods []string
	for _, r := range a.Engine.Routes() {
		params, ok := parameters(r.Path, c.Request.URL.Path)
		if !ok || r.Path == c.FullPath() || slices.Contains(methods, r.Method) {
			continue
		}
		c.Params = params
		if matches := a.matches[address{r.Method, r.Path}]; matches == nil || matches(c) {
			methods = append(methods, r.Method)
		}
	}
	slices.Sort(methods)
	return methods
}

// parameters returns the parameters of path according to a Gin pattern, and whether
// it matches.
func parameters(pattern, path string) (params gin.Params, ok bool) {
	for pattern != "" {
		at := strings.IndexAny(pattern, ":*")
		if at < 0 {
			return params, path == pattern
		}
		rest, found := strings.CutPrefix(path, pattern[:at])
		if !found {
			return nil, false
		}
		kind, name := pattern[at], pattern[at+1:]
		if kind == '*' {
			return append(params, gin.Param{Key: name, Value: "/" + rest}), true
		}
		end := strings.IndexByte(name, '/')
		if end < 0 {
			end = len(name)
		}
		value := rest
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			value = rest[:slash]
		}
		if value == "" {
			return nil, false
		}
		params = append(params, gin.Param{Key: name[:end], Value: value})
		pattern, path = name[end:], rest[len(value):]
	}
	return params, path == ""
}
