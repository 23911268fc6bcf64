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

// shape is what is known of the names and whole numbers in the JSON of a type.
// A nil shape knows nothing: whatever is below it is looked at for names that
// come twice.
type shape struct {
	fields  map[string]*shape // of an object, by name
	written map[string]string // a field's name by its lower case
	elem    *shape            // of the elements of a list or map
	whole   bool              // a whole number
	bytes   bool              // bytes, which are written as a text
}

// shapeOf returns the shape of a type; known holds those that are under way,
// since types refer to themselves.
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
		s.written = map[string]string{"items": "items"}
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
		s.fields, s.written = make(map[string]*shape), make(map[string]string)
		for _, key := range Keys(t) {
			s.fields[key.Name] = shapeOf(key.Field.Type, known)
			s.written[strings.ToLower(fold(key.Name))] = key.Name
		}
	default:
		s.whole = whole
	}
	return s
}

// nameWalk walks once through JSON that is valid, and finds the names that come
// twice in an object or are another's but for their case: two readers of such a
// body may read two different ones (RFC 8259, 4). It notes where whole numbers
// are written as 1.0 or 1e2, too.
type nameWalk struct {
	raw     []byte
	at      int
	path    []step
	seen    [][]byte // the names of the objects that are open
	folded  []byte   // room for lower
	details []fault.Detail
	whole   []span
}

type step struct {
	name  []byte // nil for an element
	index int
}

type span struct {
	from, to int
	digits   string
}

// few is how many names are compared each with each before they are hashed.
const few = 16

func (n *nameWalk) value(s *shape) {
	n.space()
	switch c := n.raw[n.at]; {
	case c == '{':
		n.object(s)
	case c == '[':
		if s != nil && s.bytes { // the parser takes numbers for bytes
			n.refuse("type", mustBe(reflect.TypeFor[[]byte]()))
		}
		n.list(s)
	case c == '"':
		n.text()
	default:
		from := n.at
		for n.at < len(n.raw) && !ends(n.raw[n.at]) {
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
	n.at++ // the brace
	first := len(n.seen)
	var hashed map[string]bool
	for {
		n.space()
		if n.raw[n.at] == '}' {
			break
		}
		if n.raw[n.at] == ',' {
			n.at++
			continue
		}
		name := n.text()
		n.path = append(n.path, step{name: name})
		if len(n.seen)-first == few && hashed == nil {
			hashed = make(map[string]bool)
			for _, earlier := range n.seen[first:] {
				hashed[string(earlier)] = true
			}
		}
		switch {
		case hashed != nil && hashed[string(name)], hashed == nil && slices.ContainsFunc(n.seen[first:], func(b []byte) bool { return bytes.Equal(b, name) }):
			n.refuse("single", "may be given only once")
		case hashed != nil:
			hashed[string(name)] = true
		default:
			n.seen = append(n.seen, name)
		}
		below := n.below(s, name)
		n.space()
		n.at++ // the colon
		n.value(below)
		n.path = n.path[:len(n.path)-1]
	}
	n.at++
	n.seen = n.seen[:first]
}

// below is the shape of an object's field.
func (n *nameWalk) below(s *shape, name []byte) *shape {
	if s == nil {
		return nil
	}
	if field, ok := s.fields[string(name)]; ok {
		return field
	}
	if s.fields == nil {
		return s.elem
	}
	if right, ok := s.written[string(n.lower(name))]; ok {
		n.refuse("name", "is written "+right)
	}
	return nil
}

// lower is what names have in common that the parser takes for one: whatever
// their case. It holds until the next call.
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
	n.at++ // the bracket
	var elem *shape
	if s != nil {
		elem = s.elem
	}
	n.path = append(n.path, step{})
	for {
		n.space()
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

// text steps over a string and returns what it says.
func (n *nameWalk) text() []byte {
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
	_ = json.Unmarshal(n.raw[from-1:n.at], &text) // it is valid
	return []byte(text)
}

// ends reports whether c is behind a number, true, false or null.
func ends(c byte) bool { return c == ',' || c == ']' || c == '}' || c <= ' ' }

func (n *nameWalk) space() {
	for n.at < len(n.raw) && (n.raw[n.at] == ' ' || n.raw[n.at] == '\t' || n.raw[n.at] == '\r' || n.raw[n.at] == '\n') {
		n.at++
	}
}

func (n *nameWalk) refuse(rule, message string) {
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

// normal returns the body with its whole numbers written as Go reads them.
func (n *nameWalk) normal() []byte {
	var b bytes.Buffer
	at := 0
	for _, s := range n.whole {
		fmt.Fprintf(&b, "%s%s", n.raw[at:s.from], s.digits)
		at = s.to
	}
	b.Write(n.raw[at:])
	return b.Bytes()
}

// wholeNumber returns the digits of a number that is written with a point or an
// exponent and is whole: 1.0 and 1e2 are integers, says JSON Schema. It is false
// for all others and for those that no integer holds.
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
	const most = 20 // digits of an integer of 64 bits
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
