package web

import (
	"encoding"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

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
	r.bind = func(r Route, rules *rules) (binding, error) {
		p, err := newPlan(r.In, rules)
		if err != nil {
			return binding{}, err
		}
		if p.body != nil {
			p.body.refused, p.body.out = rules.refused, r.Out
		}
		success, lists := r.Success, lists(r.Out)
		pieces := newPieces(r.Out, lists)
		// A misspelt filter would answer every row; a write that reads nothing has none.
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
				Fail(c, p.dangling(c, reflect.ValueOf(&in).Elem(), err))
			case c.IsAborted() || c.Writer.Written():
				// The handler has answered by itself.
			case silent:
				c.Status(success)
				c.Writer.WriteHeaderNow()
			default:
				if len(lists) > 0 {
					fill(reflect.ValueOf(&out).Elem(), lists)
				}
				if v := reflect.ValueOf(&out).Elem(); pieces.large(v) {
					pieces.answer(c, success, v)
					return
				}
				answer(c, rules.buffers, success, &out)
			}
		}
		return binding{serve, p.matches}, nil
	}
	return r
}

// lists finds the lists in an answer of type t: itself, or its fields. One that
// is nil is written as [], which is what OpenAPI says of it, and not as null.
// Those inside of lists, and behind pointers, are left to the handler, which
// may share them with other requests.
func lists(t reflect.Type) [][]int {
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
			for _, inner := range lists(key.Field.Type) {
				found = append(found, slices.Concat(key.Index, inner))
			}
		}
	}
	return found
}

// fill makes the lists of an answer that are nil empty.
func fill(answer reflect.Value, lists [][]int) {
	for _, index := range lists {
		if list := at(answer, index); list.IsNil() {
			list.Set(reflect.MakeSlice(list.Type(), 0, 0))
		}
	}
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)
