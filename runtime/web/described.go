package web

import (
	"fmt"
	"reflect"
	"strconv"
)

// Described is a type whose values say themselves how they look in a request
// and in an answer: documents and refusals know a new type by that alone.
type Described interface {
	// JSONSchema is the JSON Schema of the values: {"type":"string","format":"date"}.
	JSONSchema() string
	// MustBe completes a sentence that begins with a field's name: "must be a
	// date such as 2006-01-02".
	MustBe() string
}

// Describe returns what a type says of its values, or what is known of types of
// the libraries that generated code uses. ok is false for every other type. A
// pointer is described as what it points to.
func Describe(t reflect.Type) (d Described, ok bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if d, ok = reflect.Zero(t).Interface().(Described); ok {
		return d, true
	}
	switch {
	case t == timeType:
		return foreign{`{"type":"string","format":"date-time"}`, "must be a time such as 2006-01-02T15:04:05Z, in the years 1 to 9999"}, true
	case t == durationType:
		return foreign{`{"type":"integer","format":"int64"}`, "must be a duration such as 1h30m"}, true
	case t.Name() == "UUID":
		return foreign{`{"type":"string","format":"uuid"}`, "must be a UUID"}, true
	case t.Name() == "Decimal":
		// A number is accepted too, but loses digits in most clients.
		return foreign{`{"type":"string","pattern":"^-?[0-9]+(\\.[0-9]+)?$","examples":["9.90"]}`, "must be a decimal number"}, true
	}
	return nil, false
}

// foreign describes a type of a library, which cannot be asked.
type foreign struct{ schema, mustBe string }

func (f foreign) JSONSchema() string { return f.schema }
func (f foreign) MustBe() string     { return f.mustBe }

// Bound returns a bound of a rule, as in min=60000000000, as a person writes a
// value of the type: 1m0s.
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
