package web

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/runtime/fault"
)

// misfit says that the value at path is not a t; the path of the whole body is
// empty.
func misfit(path string, t reflect.Type) fault.Detail {
	return fault.Detail{Field: path, Rule: "type", Message: sentence(cmp.Or(path, wholeBody), mustBe(t))}
}

// wholeBody is what the body itself is called in details.
const wholeBody = "body"

// findMisfits decodes raw, which is valid JSON but does not fit dst, part by part:
// what fits is set, and what does not is returned with its path. It runs only
// for requests that are refused.
func findMisfits(raw []byte, dst reflect.Value) []fault.Detail {
	var details []fault.Detail
	fit(raw, dst, "", &details)
	return details
}

func fit(raw json.RawMessage, dst reflect.Value, path string, details *[]fault.Detail) {
	t := dst.Type()
	if len(*details) == maxDetails || json.Unmarshal(raw, dst.Addr().Interface()) == nil {
		return
	}
	if t.Kind() == reflect.Pointer {
		if dst.IsNil() {
			dst.Set(reflect.New(t.Elem()))
		}
		fit(raw, dst.Elem(), path, details)
		return
	}
	if n, ok := dst.Addr().Interface().(interface{ value() reflect.Value }); ok {
		fit(raw, n.value(), path, details)
		return
	}
	if _, bulk := dst.Interface().(interface{ isBulk() }); bulk {
		var envelope struct{ Items json.RawMessage }
		if json.Unmarshal(raw, &envelope) == nil && envelope.Items != nil {
			raw = envelope.Items
		}
	} else if opaque(t) {
		*details = append(*details, misfit(path, t))
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			*details = append(*details, misfit(path, t))
			return
		}
		fitMembers(members, dst, path, details)
	case reflect.Slice:
		var elements []json.RawMessage
		if t.Elem().Kind() == reflect.Uint8 || json.Unmarshal(raw, &elements) != nil {
			*details = append(*details, misfit(path, t))
			return
		}
		dst.Set(reflect.MakeSlice(t, len(elements), len(elements)))
		for i, element := range elements {
			fit(element, dst.Index(i), path+"["+strconv.Itoa(i)+"]", details)
		}
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || t.Key().Kind() != reflect.String {
			*details = append(*details, misfit(path, t))
			return
		}
		for _, key := range sortedKeys(members) {
			fit(members[key], reflect.New(t.Elem()).Elem(), join(path, key), details)
		}
	default:
		*details = append(*details, misfit(path, t))
	}
}

func fitMembers(members map[string]json.RawMessage, dst reflect.Value, path string, details *[]fault.Detail) {
	for _, key := range Keys(dst.Type()) {
		raw, ok := members[key.Name]
		for _, name := range sortedKeys(members) {
			if !ok && strings.EqualFold(name, key.Name) {
				raw, ok = members[name], true
			}
		}
		if ok {
			fit(raw, dst.FieldByIndex(key.Index), join(path, key.Name), details)
		}
	}
}

// opaque tells whether a type decodes itself, so that nothing inside it can be
// named.
func opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// suspicious tells whether raw, a body with or without decimals in it, may
// hold what unstorable finds.
func suspicious(raw []byte, decimals bool) bool {
	if bytes.Contains(raw, []byte(`\u0000`)) {
		return true
	}
	if !decimals {
		return false
	}
	digits, exponent := 0, false
	for _, c := range raw {
		switch {
		case c == 'e' || c == 'E':
			digits, exponent = 0, true
		case exponent && c >= '0' && c <= '9':
			if digits++; digits > 2 {
				return true
			}
		case c != '+' && c != '-':
			exponent = false
		}
	}
	return false
}

// absurd tells whether a decimal's exponent is so large that writing its
// digits, or comparing it, would take the memory of the process: 1e999999999 is
// a short text.
func absurd(value any) bool {
	d, ok := value.(interface{ Exponent() int32 })
	const most = 500
	return ok && (d.Exponent() > most || d.Exponent() < -most)
}

// unstorable finds what is below v and no database can hold: strings with a
// NUL, and absurd decimals.
func unstorable(v reflect.Value) []fault.Detail {
	var details []fault.Detail
	findUnstorable(v, "", &details)
	return details
}

func findUnstorable(v reflect.Value, path string, details *[]fault.Detail) {
	if len(*details) == maxDetails {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			findUnstorable(v.Elem(), path, details)
		}
	case reflect.String:
		if !storable(v.String()) {
			*details = append(*details, nul(path))
		}
	case reflect.Struct:
		if absurd(v.Interface()) {
			*details = append(*details, misfit(path, v.Type()))
			return
		}
		if n, ok := v.Interface().(interface{ checked() any }); ok {
			findUnstorable(reflect.ValueOf(n.checked()), path, details)
			return
		}
		for _, key := range Keys(v.Type()) {
			findUnstorable(v.FieldByIndex(key.Index), join(path, key.Name), details)
		}
	case reflect.Slice:
		if raw, ok := v.Interface().(json.Marshaler); ok && v.Type().Elem().Kind() == reflect.Uint8 {
			// JSON that is kept as it came.
			var content any
			if text, err := raw.MarshalJSON(); err == nil && json.Unmarshal(text, &content) == nil {
				findUnstorable(reflect.ValueOf(&content), path, details)
			}
			return
		}
		for i := range v.Len() {
			findUnstorable(v.Index(i), path+"["+strconv.Itoa(i)+"]", details)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if key.Kind() == reflect.String && !storable(key.String()) {
				*details = append(*details, nul(path))
				continue
			}
			findUnstorable(v.MapIndex(key), join(path, key.String()), details)
		}
	}
}

func nul(path string) fault.Detail {
	path = cmp.Or(path, wholeBody)
	return fault.Detail{Field: path, Rule: "text", Message: sentence(path, "must not hold a NUL character")}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
