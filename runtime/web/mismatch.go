package web

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nexios-go/nexios/runtime/fault"
)

// mismatch says that the value at path is not a t; the path of the whole body is
// empty.
func mismatch(path string, t reflect.Type) fault.Detail {
	return fault.Detail{Field: path, Rule: "type", Message: sentence(cmp.Or(path, wholeBody), mustBe(t))}
}

// wholeBody is what the body itself is called in details.
const wholeBody = "body"

// findMisfits decodes raw, which is valid JSON but does not fit dst, part by part:
// what fits is set, and what does not is returned with its path. It runs only
// for requests that are refused.
func findMisfits(raw []byte, dst reflect.Value) []fault.Detail {
	var details []fault.Detail
	if fit(raw, dst, "", &details); len(details) == 0 {
		details = append(details, mismatch("", dst.Type()))
	}
	return details
}

// itemsOf is the list in the body of a bulk request, which may stand alone.
func itemsOf(raw json.RawMessage) json.RawMessage {
	var envelope struct{ Items json.RawMessage }
	if json.Unmarshal(raw, &envelope) == nil && envelope.Items != nil {
		return envelope.Items
	}
	return raw
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
		raw = itemsOf(raw)
	} else if opaque(t) {
		*details = append(*details, mismatch(path, t))
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			*details = append(*details, mismatch(path, t))
			return
		}
		fitMembers(members, dst, path, details)
	case reflect.Slice:
		var elements []json.RawMessage
		if t.Elem().Kind() == reflect.Uint8 || json.Unmarshal(raw, &elements) != nil {
			*details = append(*details, mismatch(path, t))
			return
		}
		dst.Set(reflect.MakeSlice(t, len(elements), len(elements)))
		for i, element := range elements {
			fit(element, dst.Index(i), path+"["+strconv.Itoa(i)+"]", details)
		}
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || t.Key().Kind() != reflect.String {
			*details = append(*details, mismatch(path, t))
			return
		}
		for _, key := range slices.Sorted(maps.Keys(members)) {
			fit(members[key], reflect.New(t.Elem()).Elem(), join(path, key), details)
		}
	default:
		*details = append(*details, mismatch(path, t))
	}
}

func fitMembers(members map[string]json.RawMessage, dst reflect.Value, path string, details *[]fault.Detail) {
	for _, key := range Keys(dst.Type()) {
		if raw, ok := members[key.Name]; ok {
			fit(raw, dst.FieldByIndex(key.Index), join(path, key.Name), details)
		}
	}
}

// fold makes names equal that the parser takes for one: whatever their case.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// opaque reports whether a type decodes itself, so that nothing inside it can be
// named.
func opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// suspicious reports whether raw, a body that is exact or not, may hold what
// unstorable finds.
func suspicious(raw []byte, exact bool) bool {
	if bytes.Contains(raw, []byte(`\u0000`)) {
		return true
	}
	if !exact {
		return false
	}
	if bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) > maxKeptDepth {
		return true
	}
	for _, year := range []string{`"0000-`, `"0001-`, `"9999-`} {
		if bytes.Contains(raw, []byte(year)) {
			return true
		}
	}
	digits, exponent := 0, false
	for _, c := range raw {
		switch {
		case c == 'e' || c == 'E':
			digits, exponent = 0, true
		case c >= '0' && c <= '9':
			if digits++; digits > 100 || exponent && digits > 1 {
				return true
			}
		case c == '+' || c == '-' || c == '.':
		default:
			digits, exponent = 0, false
		}
	}
	return false
}

// absurd reports whether a value cannot be stored though it is one of its type: a
// decimal whose exponent is so large that writing its digits, or comparing it,
// would take the memory of the process (1e999999999 is a short text), or a time
// that is in no year of four digits once it is in UTC. The first instant of all
// is no time: Go and MySQL take it for none.
func absurd(value any) bool {
	switch v := value.(type) {
	case interface{ Exponent() int32 }:
		const most = 500
		return v.Exponent() > most || v.Exponent() < -most
	case time.Time:
		v = v.UTC().Truncate(time.Microsecond)
		return v.Year() < 1 || v.Year() > 9999 || v.IsZero()
	}
	return false
}

// unstorable finds what is below v and no database can hold: strings with a
// NUL, absurd decimals and times, and numbers in JSON that are out of bounds.
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
			*details = append(*details, mismatch(path, v.Type()))
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
		if isJSON(v.Type()) {
			findUnstorableJSON(v.Interface().(json.Marshaler), path, details)
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

// isJSON reports whether a type holds JSON that is kept as it came.
func isJSON(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && t.Implements(jsonMarshaler)
}

func findUnstorableJSON(kept json.Marshaler, path string, details *[]fault.Detail) {
	raw, err := kept.MarshalJSON()
	if err != nil {
		return
	}
	var content any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&content) != nil {
		return
	}
	if deeper(content, maxKeptDepth) {
		*details = append(*details, fault.Detail{Field: cmp.Or(path, wholeBody), Rule: "depth", Message: sentence(cmp.Or(path, wholeBody), fmt.Sprintf("is nested deeper than %d levels", maxKeptDepth))})
		return
	}
	if room := maxExponents; !bounded(content, &room) {
		*details = append(*details, fault.Detail{Field: cmp.Or(path, wholeBody), Rule: "number", Message: sentence(cmp.Or(path, wholeBody), "holds numbers that are too large or too small")})
		return
	}
	findUnstorable(reflect.ValueOf(&content), path, details)
}

// Numbers of JSON that is kept are those that a float64 holds, and of so many
// digits. All their exponents add up to no more than maxExponents: PostgreSQL
// answers 1e300 with all its zeros.
const (
	maxExponent  = 308
	maxExponents = 10_000
	maxDigits    = 1000
)

// maxKeptDepth is how deep JSON that is kept may nest: MariaDB takes no more.
const maxKeptDepth = 30

// deeper reports whether a JSON value nests deeper than some levels.
func deeper(value any, levels int) bool {
	switch v := value.(type) {
	case []any:
		return levels == 0 || slices.ContainsFunc(v, func(element any) bool { return deeper(element, levels-1) })
	case map[string]any:
		if levels == 0 {
			return true
		}
		for _, element := range v {
			if deeper(element, levels-1) {
				return true
			}
		}
	}
	return false
}

// bounded reports whether the numbers in a JSON value are so.
func bounded(value any, room *int) bool {
	switch v := value.(type) {
	case json.Number:
		mantissa, text, _ := strings.Cut(strings.ToLower(string(v)), "e")
		exponent, err := strconv.Atoi(cmp.Or(text, "0"))
		exponent = max(exponent, -exponent)
		*room -= exponent
		_, infinite := v.Float64()
		return err == nil && infinite == nil && exponent <= maxExponent && len(mantissa) <= maxDigits && *room >= 0
	case []any:
		for _, element := range v {
			if !bounded(element, room) {
				return false
			}
		}
	case map[string]any:
		for _, element := range v {
			if !bounded(element, room) {
				return false
			}
		}
	}
	return true
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
