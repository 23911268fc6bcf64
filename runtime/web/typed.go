package web

import (
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"
)

// typed makes the route whose handler reads In and answers Out. How In is read
// is worked out once, when New mounts the route.
func typed[In, Out any](method, path string, h Handler[In, Out]) Route {
	r := Route{Method: method, Path: path, Success: http.StatusOK, In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out]()}
	silent := r.Out == reflect.TypeFor[None]()
	switch {
	case silent:
		r.Success = http.StatusNoContent
	case method == http.MethodPost:
		r.Success = http.StatusCreated
	}
	r.bind = func(r Route, rules *rules) (gin.HandlerFunc, error) {
		p, err := newPlan(r.In, rules)
		if err != nil {
			return nil, err
		}
		success := r.Success
		return func(c *gin.Context) {
			var in In
			if !p.empty {
				if err := p.read(c, &in, reflect.ValueOf(&in).Elem()); err != nil {
					Fail(c, err)
					return
				}
			}
			out, err := h(c, in)
			switch {
			case err != nil:
				Fail(c, err)
			case c.IsAborted() || c.Writer.Written():
				// The handler has answered by itself.
			case silent:
				c.Status(success)
				c.Writer.WriteHeaderNow()
			default:
				answer(c, rules.buffers, success, &out)
			}
		}, nil
	}
	return r
}
