package web

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/nexios-go/nexios/runtime/fault"
)

// nullElements finds nulls in lists of a body of type t whose elements are not
// nullable. The parser would replace them with the zero value, which the client did
// not send.
func nullElements(raw []byte, t reflect.Type) []fault.Detail {
	if !hasNullElement(raw) {
		return nil
	}
	var details []fault.Detail
	findNullElements(raw, t, "", &details)
	return details
}

// hasNullElement is a fast check for null in a list.
func hasNullElement(raw []byte) bool {
	null := []byte("null")
	for rest := raw; ; {
		i := bytes.Index(rest, null)
		if i < 0 {
			return false
		}
		if before := bytes.TrimRight(rest[:i], " \t\r\n"); len(before) > 0 && (before[len(before)-1] == '[' || before[len(before)-1] == ',') {
			return true
		}
		rest = rest[i+len(null):]
	}
}

func findNullElements(raw json.RawMessage, t reflect.Type, path string, details *[]fault.Detail) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n, ok := reflect.New(t).Interface().(interface{ value() reflect.Value }); ok {
		findNullElements(raw, n.value().Type(), path, details)
		return
	}
	if _, bulk := reflect.Zero(t).Interface().(interface{ isBulk() }); bulk {
		raw = itemsOf(raw)
	} else if opaque(t) {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return
		}
		known := make(map[string]Key)
		for _, key := range Keys(t) {
			known[key.Name] = key
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if key, ok := known[name]; ok {
				findNullElements(members[name], key.Field.Type, join(path, key.Name), details)
			}
		}
	case reflect.Slice, reflect.Array:
		var elements []json.RawMessage
		if json.Unmarshal(raw, &elements) != nil {
			return
		}
		for i, element := range elements {
			at := path + "[" + strconv.Itoa(i) + "]"
			if bytes.Equal(element, []byte("null")) && !nullable(t.Elem()) && len(*details) < maxDetails {
				*details = append(*details, mismatch(at, t.Elem()))
				continue
			}
			findNullElements(element, t.Elem(), at, details)
		}
	}
}

// nullable reports whether a value of type t can represent null.
func nullable(t reflect.Type) bool {
	_, null := reflect.New(t).Interface().(interface{ value() reflect.Value })
	return null || t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || isJSON(t)
}
