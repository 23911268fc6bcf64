package web

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

// plan is how one input type is read from a request.
type plan struct {
	in      reflect.Type
	rules   *rules
	fields  []Field
	empty   bool // reads nothing
	checked bool // the path, query string or headers have rules
	path    []value
	query   []value
	header  []value
	names   map[string]int // of query parameters and their aliases, to positions in query
	body    *body
}

// value is a Field with the way to set it.
type value struct {
	Field
	many bool
	set  setter
}

// maxQuery is how many query parameters an input may have: as many as a word
// has bits, in which a request notes those it has seen.
const maxQuery = 64

func newPlan(in reflect.Type, rules *rules) (*plan, error) {
	fields, bodyField, err := Fields(in)
	if err != nil {
		return nil, err
	}
	p := &plan{in: in, rules: rules, fields: fields, names: make(map[string]int), empty: len(fields) == 0 && bodyField == nil}
	for _, f := range fields {
		v := value{Field: f}
		if v.set, v.many, err = setterOf(f.Type); err != nil {
			return nil, fmt.Errorf("%s of %s %w", f.Name, in, err)
		}
		if f.Default != nil && v.set(reflect.New(f.Type).Elem(), *f.Default) != nil {
			return nil, fmt.Errorf("the default of %s in %s is not of its type: %q", f.Name, in, *f.Default)
		}
		p.checked = p.checked || f.Rules != ""
		if bodyField != nil && strings.Contains(f.Rules, "field=") {
			return nil, fmt.Errorf("%s of %s is compared with another field, which takes an input without a body", f.Name, in)
		}
		switch f.In {
		case inPath:
			v.set = spelledOnce(f.Type, v.set)
			p.path = append(p.path, v)
		case inHeader:
			p.header = append(p.header, v)
		case inQuery:
			if err := p.name(f, in); err != nil {
				return nil, err
			}
			p.query = append(p.query, v)
		}
	}
	if len(p.query) > maxQuery {
		return nil, fmt.Errorf("%s has more than %d query parameters", in, maxQuery)
	}
	if err := rules.prepare(in); err != nil {
		return nil, err
	}
	if bodyField != nil {
		p.body = newBody(bodyField, rules)
	}
	return p, nil
}

// name makes the next query parameter known by its names.
func (p *plan) name(f Field, in reflect.Type) error {
	for _, name := range []string{f.Name, f.Alias} {
		if name == "" {
			continue
		}
		if _, twice := p.names[name]; twice {
			return fmt.Errorf("two fields of %s read the parameter %q", in, name)
		}
		p.names[name] = len(p.query)
	}
	return nil
}

// read fills what in points to, whose value is v, or says what is wrong with
// the request: with its path (404), then its query string and its headers
// (422), then its body.
func (p *plan) read(c *gin.Context, in any, v reflect.Value) error {
	if !p.readPath(c, v) {
		return noRoute()
	}
	var seen params
	p.readQuery(c.Request.URL.RawQuery, v, &seen)
	for i := range p.header {
		p.readHeader(&p.header[i], c.Request.Header, v, &seen)
	}
	if p.checked {
		if err := p.check(in, v, &seen); err != nil {
			return err
		}
	}
	if seen.query != nil {
		return fault.InvalidQuery(seen.query...)
	}
	if seen.header != nil {
		return &fault.Error{Status: http.StatusUnprocessableEntity, Message: "Invalid headers", Details: seen.header}
	}
	if p.body != nil {
		return p.body.read(c, v.FieldByIndex(p.body.index))
	}
	return nil
}

// readPath reports whether the values in the path are of their types.
func (p *plan) readPath(c *gin.Context, v reflect.Value) bool {
	for i := range p.path {
		f := &p.path[i]
		raw := strings.TrimPrefix(c.Param(f.Name), "/") // Gin keeps a catch-all's slash
		if !storable(raw) || f.set(v.FieldByIndex(f.Index), raw) != nil {
			return false
		}
	}
	return true
}

// matches reports whether the values in the path are of their types and keep
// their rules.
func (p *plan) matches(c *gin.Context) bool {
	if len(p.path) == 0 {
		return true
	}
	in := reflect.New(p.in)
	return p.readPath(c, in.Elem()) && p.check(in.Interface(), in.Elem(), new(params)) == nil
}

// params is what one request says outside its body, and what is wrong with it.
type params struct {
	given   uint64 // query parameters that came, by position
	aliased uint64 // those that came by their alias
	broken  uint64 // those whose value could not be read: their rules are not asked
	query   []fault.Detail
	header  []fault.Detail
}

func (p *plan) readQuery(raw string, v reflect.Value, seen *params) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, text, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(key, "%+") {
			var err error
			if key, err = url.QueryUnescape(key); err != nil {
				key = "?" // like any other parameter that is not known
			}
		}
		i, known := p.names[key]
		if !known {
			if key != "" {
				seen.unknown(p, key)
			}
			continue
		}
		f, bit := &p.query[i], uint64(1)<<i
		repeated := seen.given&bit != 0
		seen.given |= bit
		if key != f.Name {
			seen.aliased |= bit
		}
		if repeated && !f.many {
			seen.reject(bit, key, "single", "may be given only once")
			continue
		}
		text, err := url.QueryUnescape(text)
		if err != nil || !storable(text) {
			seen.reject(bit, key, "text", "must be valid text")
			continue
		}
		if err := f.set(v.FieldByIndex(f.Index), text); err != nil {
			seen.reject(bit, key, "type", err.Error())
		}
	}
	for i := range p.query {
		if f := &p.query[i]; f.Default != nil && seen.given&(1<<i) == 0 {
			_ = f.set(v.FieldByIndex(f.Index), *f.Default) // tried when the plan was made
		}
	}
}

// unknown refuses a parameter that p does not read, once: a misspelt filter would
// otherwise answer every row.
func (seen *params) unknown(p *plan, name string) {
	if name = strings.ToValidUTF8(name, "?"); len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "")
	}
	if len(seen.query) >= maxDetails || slices.ContainsFunc(seen.query, func(d fault.Detail) bool { return d.Field == name }) {
		return
	}
	known := strings.Join(slices.Sorted(maps.Keys(p.names)), ", ")
	seen.query = append(seen.query, fault.Detail{Field: name, Rule: "unknown", Message: "Unknown parameter; known parameters: " + cmp.Or(known, "none")})
}

// reject notes what is wrong with a query parameter, once.
func (seen *params) reject(bit uint64, name, rule, message string) {
	if seen.broken&bit == 0 {
		seen.broken |= bit
		seen.query = append(seen.query, fault.Detail{Field: name, Rule: rule, Message: sentence(name, message)})
	}
}

func (p *plan) readHeader(f *value, h http.Header, v reflect.Value, seen *params) {
	values := h.Values(f.Name)
	if len(values) == 0 && f.Default != nil {
		values = []string{*f.Default}
	}
	if len(values) > 1 && !f.many {
		seen.header = append(seen.header, fault.Detail{Field: f.Name, Rule: "single", Message: sentence(f.Name, "may be given only once")})
		return
	}
	for _, text := range values {
		err := f.set(v.FieldByIndex(f.Index), text)
		if err != nil || !storable(text) {
			seen.header = append(seen.header, fault.Detail{Field: f.Name, Rule: "type", Message: sentence(f.Name, "is not valid")})
			return
		}
	}
}

// check asks the rules of everything outside the body. A broken rule of the
// path is the error returned; the others are noted in seen.
func (p *plan) check(in any, v reflect.Value, seen *params) error {
	var violations []broken
	var err error
	if p.body == nil {
		violations, err = p.rules.outside(in)
	} else {
		violations, err = p.rules.each(p.fields, v)
	}
	if err != nil {
		return err
	}
	for _, b := range violations {
		place, name, _ := strings.Cut(b.path, ":")
		// A rule on an element of a list names it: tag[2].
		base, _, _ := strings.Cut(name, "[")
		switch place {
		case inPath:
			return noRoute()
		case inHeader:
			seen.header = append(seen.header, detail(name, b.FieldError))
		case inQuery:
			i := p.names[base]
			if seen.broken&(1<<i) != 0 {
				continue
			}
			if seen.aliased&(1<<i) != 0 {
				name = p.query[i].Alias + strings.TrimPrefix(name, base)
			}
			seen.query = append(seen.query, detail(name, b.FieldError))
		}
	}
	return nil
}

// storable reports whether every supported database can hold the text:
// PostgreSQL takes no NUL and no invalid UTF-8.
func storable(text string) bool {
	return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}
