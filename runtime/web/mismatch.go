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

// mismatch reports that the value at path does not have type t. The path of the whole
// body is "".
func mismatch(path string, t reflect.Type) fault.Detail {
	return fault.Detail{Field: path, Rule: "type", Message: sentence(cmp.Or(path, wholeBody), mustBe(t))}
}

// wholeBody is the name of the body itself in details.
const wholeBody = "body"

// findMismatches decodes raw, valid JSON that does not match the type of dst, part by
// part: it sets the parts that match and returns the others with their paths, none if
// only the value of a misspelt key does not match. It runs only for invalid requests.
func findMismatches(raw []byte, dst reflect.Value) (details []fault.Detail) {
	decodePart(raw, dst, "", &details)
	return details
}

// itemsOf returns the list in a bulk body, with or without its envelope.
func itemsOf(raw json.RawMessage) json.RawMessage {
	var envelope struct{ Items json.RawMessage }
	if json.Unmarshal(raw, &envelope) == nil && envelope.Items != nil {
		return envelope.Items
	}
	return raw
}

func decodePart(raw json.RawMessage, dst reflect.Value, path string, details *[]fault.Detail) {
	t := dst.Type()
	if len(*details) == maxDetails || json.Unmarshal(raw, dst.Addr().Interface()) == nil {
		return
	}
	if t.Kind() == reflect.Pointer {
		if dst.IsNil() {
			dst.Set(reflect.New(t.Elem()))
		}
		decodePart(raw, dst.Elem(), path, details)
		return
	}
	if n, ok := dst.Addr().Interface().(interface{ value() reflect.Value }); ok {
		decodePart(raw, n.value(), path, details)
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
		decodeMembers(members, dst, path, details)
	case reflect.Slice:
		var elements []json.RawMessage
		if t.Elem().Kind() == reflect.Uint8 || json.Unmarshal(raw, &elements) != nil {
			*details = append(*details, mismatch(path, t))
			return
		}
		dst.Set(reflect.MakeSlice(t, len(elements), len(elements)))
		for i, element := range elements {
			decodePart(element, dst.Index(i), path+"["+strconv.Itoa(i)+"]", details)
		}
	case reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || t.Key().Kind() != reflect.String {
			*details = append(*details, mismatch(path, t))
			return
		}
		for _, key := range slices.Sorted(maps.Keys(members)) {
			decodePart(members[key], reflect.New(t.Elem()).Elem(), join(path, key), details)
		}
	default:
		*details = append(*details, mismatch(path, t))
	}
}

func decodeMembers(members map[string]json.RawMessage, dst reflect.Value, path string, details *[]fault.Detail) {
	for _, key := range Keys(dst.Type()) {
		if raw, ok := members[key.Name]; ok {
			decodePart(raw, dst.FieldByIndex(key.Index), join(path, key.Name), details)
		}
	}
}

// fold maps names that differ only by case, which the parser treats as equal, to the
// same string.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// opaque reports whether a type decodes itself, so that nothing inside it has a path.
func opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// mayBeUnstorable is a fast check of raw for what unstorable finds. exact is set if
// the body has decimals, times or JSON.
func mayBeUnstorable(raw []byte, exact bool) bool {
	if bytes.Contains(raw, []byte(`\u0000`)) {
		return true
	}
	if !exact {
		return false
	}
	if bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) > maxJSONDepth {
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

// outOfRange reports whether a value cannot be stored although it has the right type:
// a decimal with an exponent so large that writing its digits or comparing it would
// exhaust memory (1e999999999 is short), or a time whose year in UTC does not have
// four digits. The zero time is rejected too: Go and MySQL treat it as unset.
func outOfRange(value any) bool {
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

// unstorable finds the values below v that no database can store: strings with NUL,
// decimals and times out of range, and numbers out of range in JSON.
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
		if outOfRange(v.Interface()) {
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

// isJSON reports whether a type holds raw JSON.
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
	if nestsDeeper(content, maxJSONDepth) {
		*details = append(*details, fault.Detail{Field: cmp.Or(path, wholeBody), Rule: "depth", Message: sentence(cmp.Or(path, wholeBody), fmt.Sprintf("is nested deeper than %d levels", maxJSONDepth))})
		return
	}
	if room := maxExponents; !inBounds(content, &room) {
		*details = append(*details, fault.Detail{Field: cmp.Or(path, wholeBody), Rule: "number", Message: sentence(cmp.Or(path, wholeBody), "holds numbers that are too large or too small")})
		return
	}
	findUnstorable(reflect.ValueOf(&content), path, details)
}

// Limits of numbers in raw JSON: they must fit a float64 and have at most maxDigits
// characters before the exponent. All exponents add up to at most maxExponents,
// because PostgreSQL returns 1e300 with all its zeros.
const (
	maxExponent  = 308
	maxExponents = 10_000
	maxDigits    = 1000
)

// maxJSONDepth is the maximum nesting depth of raw JSON, a limit of MariaDB.
const maxJSONDepth = 30

// nestsDeeper reports whether a JSON value nests deeper than levels.
func nestsDeeper(value any, levels int) bool {
	switch v := value.(type) {
	case []any:
		return levels == 0 || slices.ContainsFunc(v, func(element any) bool { return nestsDeeper(element, levels-1) })
	case map[string]any:
		if levels == 0 {
			return true
		}
		for _, element := range v {
			if nestsDeeper(element, levels-1) {
				return true
			}
		}
	}
	return false
}

// inBounds reports whether the numbers in a JSON value are within the limits. room is
// what is left of maxExponents.
func inBounds(value any, room *int) bool {
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
			if !inBounds(element, room) {
				return false
			}
		}
	case map[string]any:
		for _, element := range v {
			if !inBounds(element, room) {
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
