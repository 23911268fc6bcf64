package web

import (
	"reflect"
	"strings"
)

// Key is one key of a struct's JSON object.
type Key struct {
	Name  string
	Omit  bool  // left out when empty
	Index []int // where the field is in the struct
	Field reflect.StructField
}

// Keys returns the keys of a struct in JSON in the order of its fields, those
// of embedded structs in the place of these, as encoding/json writes them.
// Fields of embedded pointers are left out.
func Keys(t reflect.Type) []Key {
	var keys []Key
	for i := range t.NumField() {
		f := t.Field(i)
		name, inlined := jsonName(f)
		switch {
		case inlined && f.Type.Kind() == reflect.Struct:
			for _, key := range Keys(f.Type) {
				key.Index = append([]int{i}, key.Index...)
				keys = append(keys, key)
			}
		case name != "" && !inlined:
			_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			keys = append(keys, Key{name, strings.Contains(options, "omit"), []int{i}, f})
		}
	}
	return keys
}

// jsonName returns the key of a field in JSON, empty when it has none, and
// whether it is an embedded struct whose own keys stand for it.
func jsonName(f reflect.StructField) (name string, inlined bool) {
	tag := f.Tag.Get("json")
	name, _, _ = strings.Cut(tag, ",")
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case tag == "-":
		return "", false
	case f.Anonymous && name == "" && t.Kind() == reflect.Struct:
		return f.Name, true
	case !f.IsExported():
		return "", false
	case name == "":
		return f.Name, false
	}
	return name, false
}
