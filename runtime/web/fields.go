package web

import (
	"fmt"
	"reflect"
	"strings"
)

// Where a Field is read from, in OpenAPI's words.
const (
	inPath   = "path"
	inQuery  = "query"
	inHeader = "header"
)

// Field is one value that a typed route reads from the request's path, query
// string or headers.
type Field struct {
	In      string // "path", "query" or "header"
	Name    string
	Alias   string       // of a query parameter: a second accepted name, or empty
	Default *string      // what an absent value means; nil for nothing
	Rules   string       // the binding tag
	Doc     string       // the doc tag: one sentence for OpenAPI
	Type    reflect.Type // a pointer when absence matters, a slice when it may come many times
	Index   []int        // where it is in the input struct
}

// Fields returns what an input type reads from outside the body, in the order
// of its declaration with embedded structs walked, and its Body field, nil
// when there is none.
func Fields(in reflect.Type) ([]Field, *reflect.StructField, error) {
	if in.Kind() != reflect.Struct {
		return nil, nil, fmt.Errorf("the input %s is not a struct", in)
	}
	var fields []Field
	var body *reflect.StructField
	for _, f := range reflect.VisibleFields(in) {
		if !f.IsExported() {
			continue
		}
		if f.Name == "Body" && len(f.Index) == 1 {
			body = &f
			continue
		}
		field, ok := fieldOf(f)
		if !ok {
			if f.Anonymous && f.Type.Kind() == reflect.Struct {
				continue
			}
			return nil, nil, fmt.Errorf("the field %s of %s has no uri, form or header tag", f.Name, in)
		}
		if hasPointer(in, f.Index) {
			return nil, nil, fmt.Errorf("the field %s of %s is in an embedded pointer", f.Name, in)
		}
		fields = append(fields, field)
	}
	return fields, body, nil
}

func fieldOf(f reflect.StructField) (Field, bool) {
	for _, place := range []struct{ tag, in string }{{"uri", inPath}, {"form", inQuery}, {"header", inHeader}} {
		tag, ok := f.Tag.Lookup(place.tag)
		if !ok {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		field := Field{In: place.in, Name: name, Alias: f.Tag.Get("alias"), Rules: f.Tag.Get("binding"), Doc: f.Tag.Get("doc"), Type: f.Type, Index: f.Index}
		if value, ok := strings.CutPrefix(options, "default="); ok {
			field.Default = &value
		}
		return field, name != ""
	}
	return Field{}, false
}

// hasPointer reports whether the way to a field leads through an embedded
// pointer, which may be nil.
func hasPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}
