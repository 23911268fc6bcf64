package web

import (
	"fmt"
	"reflect"
	"strings"
)

// Values of Field.In, as in OpenAPI.
const (
	inPath   = "path"
	inQuery  = "query"
	inHeader = "header"
)

// Field is a value that a typed route reads from the path, query string or headers.
type Field struct {
	In      string // "path", "query" or "header"
	Name    string
	Alias   string       // second name of a query parameter; optional
	Default *string      // used if the value is absent; nil if none
	Rules   string       // the binding tag
	Doc     string       // the doc tag: one sentence for OpenAPI
	Type    reflect.Type // a pointer if absence matters, a slice if it may repeat
	Index   []int        // of the field in the input struct
}

// Fields returns the fields that an input type reads from outside the body, in order
// of declaration, those of embedded structs included, and its Body field, or nil if
// it has none.
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
			return nil, nil, fmt.Errorf("the field %s of %s has no uri, form or header tag; what is read from the body is a field of its field Body", f.Name, in)
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

// hasPointer reports whether a field is inside an embedded pointer, which may be nil.
func hasPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}
