package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nexios-go/nexios/runtime/fault"
)

// shape describes the names and integers in the JSON of a type. Below a nil shape,
// only duplicate names are looked for.
type shape struct {
	fields  map[string]*shape // of an object, by name
	spelled map[string]string // field names by their lower case
	elem    *shape            // of the elements of a list or map
	whole   bool              // an integer
	bytes   bool              // bytes, spelled as a string
}

// shapeOf returns the shape of a type. known holds the shapes in progress, since
// types can be recursive.
func shapeOf(t reflect.Type, known map[reflect.Type]*shape) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n, ok := reflect.New(t).Interface().(interface{ value() reflect.Value }); ok {
		return shapeOf(n.value().Type(), known)
	}
	if s, ok := known[t]; ok {
		return s
	}
	s := new(shape)
	known[t] = s
	if _, bulk := reflect.Zero(t).Interface().(interface{ isBulk() }); bulk {
		s.elem = shapeOf(t.Elem(), known)
		s.fields = map[string]*shape{"items": {elem: s.elem}}
		s.spelled = map[string]string{"items": "items"}
		return s
	}
	whole := t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64
	if opaque(t) {
		s.whole = whole
		return s
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		if s.bytes = t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8; !s.bytes {
			s.elem = shapeOf(t.Elem(), known)
		}
	case reflect.Struct:
		s.fields, s.spelled = make(map[string]*shape), make(map[string]string)
		for _, key := range Keys(t) {
			s.fields[key.Name] = shapeOf(key.Field.Type, known)
			s.spelled[strings.ToLower(fold(key.Name))] = key.Name
		}
	default:
		s.whole = whole
	}
	return s
}

// nameWalk walks valid JSON once to find names that are repeated in an object, or
// that match a field except for their case: parsers may disagree about such bodies
// (RFC 8259, 4). It also records integers spelled as 1.0 or 1e2.
type nameWalk struct {
	raw     []byte
	at      int
	path    []step
	seen    [][]byte // names of the open objects
	folded  []byte   // buffer for lower
	details []fault.Detail
	whole   []span
}

type step struct {
	name  []byte // nil for a list element
	index int
}

type span struct {
	from, to int
	digits   string
}

// maxLinear is the number of names up to which they are compared pairwise instead of
// hashed.
const maxLinear = 16

func (n *nameWalk) value(s *shape) {
	n.skipSpace()
	switch c := n.raw[n.at]; {
	case c == '{':
		n.object(s)
	case c == '[':
		if s != nil && s.bytes { // the parser accepts an array of numbers as bytes
			n.report("type", mustBe(reflect.TypeFor[[]byte]()))
		}
		n.list(s)
	case c == '"':
		n.readString()
	default:
		from := n.at
		for n.at < len(n.raw) && !isDelimiter(n.raw[n.at]) {
			n.at++
		}
		if s != nil && s.whole {
			if digits, ok := wholeNumber(n.raw[from:n.at]); ok {
				n.whole = append(n.whole, span{from, n.at, digits})
			}
		}
	}
}

func (n *nameWalk) object(s *shape) {
	n.at++ // {
	first := len(n.seen)
	var hashed map[string]bool
	for {
		n.skipSpace()
		if n.raw[n.at] == '}' {
			break
		}
		if n.raw[n.at] == ',' {
			n.at++
			continue
		}
		name := n.readString()
		n.path = append(n.path, step{name: name})
		if len(n.seen)-first == maxLinear && hashed == nil {
			hashed = make(map[string]bool)
			for _, earlier := range n.seen[first:] {
				hashed[string(earlier)] = true
			}
		}
		switch {
		case hashed != nil && hashed[string(name)], hashed == nil && slices.ContainsFunc(n.seen[first:], func(b []byte) bool { return bytes.Equal(b, name) }):
			n.report("single", "may be given only once")
		case hashed != nil:
			hashed[string(name)] = true
		default:
			n.seen = append(n.seen, name)
		}
		inner := n.fieldShape(s, name)
		n.skipSpace()
		n.at++ // :
		n.value(inner)
		n.path = n.path[:len(n.path)-1]
	}
	n.at++
	n.seen = n.seen[:first]
}

// fieldShape returns the shape of an object's field. It reports a name that differs
// from a field only by case.
func (n *nameWalk) fieldShape(s *shape, name []byte) *shape {
	if s == nil {
		return nil
	}
	if field, ok := s.fields[string(name)]; ok {
		return field
	}
	if s.fields == nil {
		return s.elem
	}
	if right, ok := s.spelled[string(n.lower(name))]; ok {
		n.report("name", "is written "+right)
	}
	return nil
}

// lower returns a name in the case-folded form that the parser matches by. The result
// is valid until the next call.
func (n *nameWalk) lower(name []byte) []byte {
	n.folded = n.folded[:0]
	for _, c := range name {
		if c >= utf8.RuneSelf {
			return bytes.ToLower([]byte(fold(string(name))))
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		n.folded = append(n.folded, c)
	}
	return n.folded
}

func (n *nameWalk) list(s *shape) {
	n.at++ // [
	var elem *shape
	if s != nil {
		elem = s.elem
	}
	n.path = append(n.path, step{})
	for {
		n.skipSpace()
		if n.raw[n.at] == ']' {
			break
		}
		if n.raw[n.at] == ',' {
			n.at++
			n.path[len(n.path)-1].index++
			continue
		}
		n.value(elem)
	}
	n.at++
	n.path = n.path[:len(n.path)-1]
}

// readString skips a string and returns its value.
func (n *nameWalk) readString() []byte {
	from, escaped := n.at+1, false
	for n.at++; n.raw[n.at] != '"'; n.at++ {
		if n.raw[n.at] == '\\' {
			escaped = true
			n.at++
		}
	}
	n.at++
	if !escaped {
		return n.raw[from : n.at-1]
	}
	var text string
	_ = json.Unmarshal(n.raw[from-1:n.at], &text) // cannot fail: raw is valid
	return []byte(text)
}

// isDelimiter reports whether c follows a number, true, false or null.
func isDelimiter(c byte) bool { return c == ',' || c == ']' || c == '}' || c <= ' ' }

func (n *nameWalk) skipSpace() {
	for n.at < len(n.raw) && (n.raw[n.at] == ' ' || n.raw[n.at] == '\t' || n.raw[n.at] == '\r' || n.raw[n.at] == '\n') {
		n.at++
	}
}

func (n *nameWalk) report(rule, message string) {
	if len(n.details) == maxDetails {
		return
	}
	path := ""
	for _, s := range n.path {
		if s.name == nil {
			path += "[" + strconv.Itoa(s.index) + "]"
			continue
		}
		if len(s.name) > 64 {
			s.name = s.name[:64]
		}
		path = join(path, strings.ToValidUTF8(string(s.name), ""))
	}
	n.details = append(n.details, fault.Detail{Field: path, Rule: rule, Message: sentence(path, message)})
}

// normalize returns the body with its integers in the form that Go parses.
func (n *nameWalk) normalize() []byte {
	var b bytes.Buffer
	at := 0
	for _, s := range n.whole {
		fmt.Fprintf(&b, "%s%s", n.raw[at:s.from], s.digits)
		at = s.to
	}
	b.Write(n.raw[at:])
	return b.Bytes()
}

// wholeNumber returns the digits of an integer spelled with a decimal point or an
// exponent: 1.0 and 1e2 are integers in JSON Schema. ok is false for any other
// number, and for those beyond 64 bits.
func wholeNumber(text []byte) (digits string, ok bool) {
	if !bytes.ContainsAny(text, ".eE") || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return "", false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(text)), "e")
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0", true
	}
	shift, err := strconv.Atoi("0" + exponent)
	if exponent != "" && (exponent[0] == '-' || exponent[0] == '+') {
		shift, err = strconv.Atoi(exponent)
	}
	shift -= len(fraction)
	const most = 20 // digits of a 64-bit integer
	switch {
	case err != nil || len(digits)+shift > most || len(digits)+shift < 1:
		return "", false
	case shift >= 0:
		digits += strings.Repeat("0", shift)
	case strings.Trim(digits[len(digits)+shift:], "0") != "":
		return "", false
	default:
		digits = digits[:len(digits)+shift]
	}
	if negative {
		digits = "-" + digits
	}
	return digits, true
}
