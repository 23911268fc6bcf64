package web

import (
	"fmt"
	"reflect"
	"strconv"
)

// Described is implemented by types that describe the form of their values in
// requests and responses, for OpenAPI and error messages.
type Described interface {
	// JSONSchema returns the JSON Schema of the values:
	// {"type":"string","format":"date"}.
	JSONSchema() string
	// MustBe returns a predicate for a sentence that begins with a field's name:
	// "must be a date such as 2006-01-02".
	MustBe() string
}

// Describe returns the description of a type: its own, or a built-in one for the
// library types that generated code uses. ok is false for any other type. A pointer
// is described as its element.
func Describe(t reflect.Type) (d Described, ok bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if d, ok = reflect.Zero(t).Interface().(Described); ok {
		return d, true
	}
	switch {
	case t == timeType:
		return libraryType{`{"type":"string","format":"date-time"}`, "must be a time such as 2006-01-02T15:04:05Z, in the years 1 to 9999"}, true
	case t == durationType:
		return libraryType{`{"type":"integer","format":"int64"}`, "must be a duration such as 1h30m"}, true
	case t.Name() == "UUID":
		return libraryType{`{"type":"string","format":"uuid"}`, "must be a UUID"}, true
	case t.Name() == "Decimal":
		// Numbers are accepted too, but lose digits in most clients.
		return libraryType{`{"type":"string","pattern":"^-?[0-9]+(\\.[0-9]+)?$","examples":["9.90"]}`, "must be a decimal number"}, true
	}
	return nil, false
}

// libraryType describes a type of a library, which does not implement Described.
type libraryType struct{ schema, mustBe string }

func (f libraryType) JSONSchema() string { return f.schema }
func (f libraryType) MustBe() string     { return f.mustBe }

// Bound formats the parameter of a bound, as in min=60000000000, like a value of type
// t: 1m0s.
func Bound(t reflect.Type, param string) string {
	n, err := strconv.ParseInt(param, 10, 64)
	if err != nil || t == nil {
		return param
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	v := reflect.New(t).Elem()
	if !v.CanInt() {
		return param
	}
	v.SetInt(n)
	if text, ok := v.Interface().(fmt.Stringer); ok {
		return text.String()
	}
	return param
}
