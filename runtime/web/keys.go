package web

import (
	"reflect"
	"strings"
)

// Key is a key in the JSON object of a struct.
type Key struct {
	Name  string
	Omit  bool  // omitted when empty
	Index []int // of the field in the struct
	Field reflect.StructField
}

// Keys returns the JSON keys of a struct in the order of its fields, with those of
// embedded structs inlined, as encoding/json writes them. It skips fields of embedded
// pointers.
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

// jsonName returns the JSON key of a field, "" if it has none, and whether it is an
// embedded struct whose keys are inlined.
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
