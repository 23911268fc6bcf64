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

// plan describes how to read one input type from a request.
type plan struct {
	in      reflect.Type
	rules   *rules
	fields  []Field
	empty   bool // nothing to read
	checked bool // the path, query string or headers have rules
	path    []value
	query   []value
	header  []value
	names   map[string]int // query parameters and their aliases, to positions in query
	body    *body
}

// value is a Field with its setter.
type value struct {
	Field
	many bool
	set  setter
}

// maxQuery is the maximum number of query parameters of an input: the bits of a
// uint64, in which a request marks those seen.
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
			v.set = canonicalSetter(f.Type, v.set)
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

// name registers the next query parameter under its name and its alias.
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

// read decodes the request into in, whose reflect.Value is v. It returns the errors
// of the first part that has any: the path (404), the query string and the headers
// (422), the body.
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

// readPath reports whether the path parameters have the right types.
func (p *plan) readPath(c *gin.Context, v reflect.Value) bool {
	for i := range p.path {
		f := &p.path[i]
		raw := strings.TrimPrefix(c.Param(f.Name), "/") // Gin keeps the slash of a catch-all
		if !storable(raw) || f.set(v.FieldByIndex(f.Index), raw) != nil {
			return false
		}
	}
	return true
}

// matches reports whether the path parameters have the right types and pass their
// rules.
func (p *plan) matches(c *gin.Context) bool {
	if len(p.path) == 0 {
		return true
	}
	in := reflect.New(p.in)
	return p.readPath(c, in.Elem()) && p.check(in.Interface(), in.Elem(), new(params)) == nil
}

// params collects what a request sends outside its body, and the errors in it.
type params struct {
	given      uint64 // parameters present, by position
	aliased    uint64 // parameters given by their alias
	unreadable uint64 // parameters with unreadable values, whose rules are skipped
	query      []fault.Detail
	header     []fault.Detail
}

func (p *plan) readQuery(raw string, v reflect.Value, seen *params) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, text, _ := strings.Cut(pair, "=")
		if strings.ContainsAny(key, "%+") {
			var err error
			if key, err = url.QueryUnescape(key); err != nil {
				key = "?" // treat as any other unknown parameter
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
			_ = f.set(v.FieldByIndex(f.Index), *f.Default) // checked by newPlan
		}
	}
}

// unknown reports a parameter that p does not read, once. A misspelt filter would
// otherwise match every row.
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

// reject reports an error in a query parameter, once.
func (seen *params) reject(bit uint64, name, rule, message string) {
	if seen.unreadable&bit == 0 {
		seen.unreadable |= bit
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

// check validates everything outside the body. It returns an error for the path and
// adds the others to seen.
func (p *plan) check(in any, v reflect.Value, seen *params) error {
	var violations []violation
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
		// The error of a list element has its index in the name: tag[2].
		base, _, _ := strings.Cut(name, "[")
		switch place {
		case inPath:
			return noRoute()
		case inHeader:
			seen.header = append(seen.header, detail(name, b.FieldError))
		case inQuery:
			i := p.names[base]
			if seen.unreadable&(1<<i) != 0 {
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

// storable reports whether every supported database can store text: PostgreSQL
// rejects NUL and invalid UTF-8.
func storable(text string) bool {
	return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}
