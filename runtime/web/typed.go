package web

import (
	"encoding"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

	"github.com/gin-gonic/gin"
)

// typed returns a route whose handler takes In and returns Out. New works out how to
// decode In once, when it mounts the route.
func typed[In, Out any](method, path string, h Handler[In, Out]) Route {
	r := Route{Method: method, Path: path, Success: http.StatusOK, In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out]()}
	noContent := r.Out == reflect.TypeFor[None]()
	switch {
	case noContent:
		r.Success = http.StatusNoContent
	case method == http.MethodPost:
		r.Success = http.StatusCreated
	}
	r.bind = func(r Route, rules *rules) (binding, error) {
		p, err := newPlan(r.In, rules)
		if err != nil {
			return binding{}, err
		}
		if p.body != nil {
			p.body.refused, p.body.out = rules.refused, r.Out
		}
		success, lists := r.Success, sliceIndexes(r.Out)
		streamer := newStreamer(r.Out, lists)
		// A misspelt filter would match every row; a write without input has no
		// filters.
		filters := r.Method == http.MethodGet
		serve := func(c *gin.Context) {
			var in In
			if !p.empty || filters && c.Request.URL.RawQuery != "" {
				if err := p.read(c, &in, reflect.ValueOf(&in).Elem()); err != nil {
					Fail(c, err)
					return
				}
			}
			out, err := h(c, in)
			switch {
			case err != nil:
				Fail(c, p.completeError(c, reflect.ValueOf(&in).Elem(), err))
			case c.IsAborted() || c.Writer.Written():
				// The handler has written the response.
			case noContent:
				c.Status(success)
				c.Writer.WriteHeaderNow()
			default:
				if len(lists) > 0 {
					fillSlices(reflect.ValueOf(&out).Elem(), lists)
				}
				if v := reflect.ValueOf(&out).Elem(); streamer.large(v) {
					streamer.respond(c, success, v)
					return
				}
				respond(c, rules.buffers, success, &out)
			}
		}
		return binding{serve, p.matches}, nil
	}
	return r
}

// sliceIndexes finds the slices in a response of type t: itself, or its fields. A nil slice
// is written as [], as OpenAPI documents, not as null. Slices inside slices and
// behind pointers are left to the handler, which may share them between requests.
func sliceIndexes(t reflect.Type) [][]int {
	if t.Implements(jsonMarshaler) || t.Implements(textMarshaler) {
		return nil
	}
	var found [][]int
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		found = [][]int{nil}
	case t.Kind() == reflect.Struct:
		for _, key := range Keys(t) {
			if key.Omit {
				continue
			}
			for _, inner := range sliceIndexes(key.Field.Type) {
				found = append(found, slices.Concat(key.Index, inner))
			}
		}
	}
	return found
}

// fillSlices replaces the nil slices of a response with empty ones.
func fillSlices(response reflect.Value, lists [][]int) {
	for _, index := range lists {
		if list := fieldAt(response, index); list.IsNil() {
			list.Set(reflect.MakeSlice(list.Type(), 0, 0))
		}
	}
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)
