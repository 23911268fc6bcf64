package openapi

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/runtime/web"
)

// schema is a JSON Schema, with the keywords used here.
type schema struct {
	Ref              string           `json:"$ref,omitempty"`
	Type             any              `json:"type,omitempty"` // a name, or a list of names
	Description      string           `json:"description,omitempty"`
	Format           string           `json:"format,omitempty"`
	ContentEncoding  string           `json:"contentEncoding,omitempty"`
	ContentMediaType string           `json:"contentMediaType,omitempty"`
	Enum             []any            `json:"enum,omitempty"`
	Default          any              `json:"default,omitempty"`
	Examples         []any            `json:"examples,omitempty"` // for patterns, which are hard to read
	Minimum          json.Number      `json:"minimum,omitempty"`
	Maximum          json.Number      `json:"maximum,omitempty"`
	ExclusiveMinimum json.Number      `json:"exclusiveMinimum,omitempty"`
	ExclusiveMaximum json.Number      `json:"exclusiveMaximum,omitempty"`
	MinLength        json.Number      `json:"minLength,omitempty"`
	MaxLength        json.Number      `json:"maxLength,omitempty"`
	Pattern          string           `json:"pattern,omitempty"`
	MinItems         json.Number      `json:"minItems,omitempty"`
	MaxItems         json.Number      `json:"maxItems,omitempty"`
	UniqueItems      bool             `json:"uniqueItems,omitempty"`
	Items            *schema          `json:"items,omitempty"`
	Properties       ordered[*schema] `json:"properties,omitzero"`
	Required         []string         `json:"required,omitempty"`
	Additional       *schema          `json:"additionalProperties,omitempty"`
	MinProperties    json.Number      `json:"minProperties,omitempty"`
	AnyOf            []*schema        `json:"anyOf,omitempty"`
	OneOf            []*schema        `json:"oneOf,omitempty"`
}

// direction tells whether a type is read or written, since the required properties
// differ.
type direction int

const (
	in direction = iota
	out
)

// schemas converts Go types to schemas. Named structs become components.
type schemas struct {
	components ordered[*schema]
	names      map[use]string
}

type use struct {
	t   reflect.Type
	dir direction
}

func newSchemas() *schemas { return &schemas{names: make(map[use]string)} }

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	webPackage    = reflect.TypeFor[web.None]().PkgPath()
)

// of returns the schema of a type, without validation rules.
func (s *schemas) of(t reflect.Type, dir direction) *schema {
	switch {
	case t.Kind() == reflect.Pointer:
		return nullable(s.of(t.Elem(), dir))
	case t.PkgPath() == webPackage && strings.HasPrefix(t.Name(), "Null["):
		value, _ := t.FieldByName("Value")
		return nullable(s.of(value.Type, dir))
	case t.PkgPath() == webPackage && strings.HasPrefix(t.Name(), "Bulk["):
		return s.bulk(t, dir)
	case t == reflect.TypeFor[json.RawMessage]():
		return &schema{}
	}
	if described, ok := web.Describe(t); ok {
		result := new(schema)
		if err := json.Unmarshal([]byte(described.JSONSchema()), result); err != nil {
			panic(fmt.Sprintf("openapi: the JSON schema of %v: %v", t, err))
		}
		if list, ok := result.Type.([]any); ok {
			var names []string
			for _, name := range list {
				names = append(names, fmt.Sprint(name))
			}
			result.Type = names
		}
		return result
	}
	if result := s.encoded(t, dir); result != nil {
		return result
	}
	switch t.Kind() {
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int64:
		return &schema{Type: "integer", Format: "int64"}
	case reflect.Int32:
		return &schema{Type: "integer", Format: "int32"}
	case reflect.Int, reflect.Int8, reflect.Int16:
		return &schema{Type: "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &schema{Type: "integer", Minimum: "0"}
	case reflect.Float32, reflect.Float64:
		return &schema{Type: "number"}
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			result := &schema{Type: "string", ContentEncoding: "base64"}
			if dir == out {
				return nullable(result)
			}
			return result
		}
		return &schema{Type: "array", Items: s.of(t.Elem(), dir)}
	case reflect.Map:
		return &schema{Type: "object", Additional: s.of(t.Elem(), dir)}
	case reflect.Struct:
		return s.named(t, dir)
	}
	return &schema{} // any value
}

// encoded returns the schema of a type that marshals itself, derived from the JSON of
// its zero value. It returns nil for other types.
func (s *schemas) encoded(t reflect.Type, dir direction) *schema {
	if !t.Implements(jsonMarshaler) && !t.Implements(textMarshaler) || t.Kind() == reflect.Interface {
		return nil
	}
	text, err := json.Marshal(reflect.Zero(t).Interface())
	if err != nil || len(text) == 0 {
		return &schema{}
	}
	switch c := text[0]; {
	case c == '"':
		return &schema{Type: "string"}
	case c == '-' || c >= '0' && c <= '9':
		return &schema{Type: "number"}
	case c == 't' || c == 'f':
		return &schema{Type: "boolean"}
	case c == '[' && t.Kind() == reflect.Slice:
		return &schema{Type: "array", Items: s.of(t.Elem(), dir)}
	}
	return &schema{}
}

// nullable returns the schema extended by null.
func nullable(s *schema) *schema {
	switch kind := s.Type.(type) {
	case string:
		result := *s
		result.Type = []string{kind, "null"}
		return &result
	case []string:
		result := *s
		if !slices.Contains(kind, "null") {
			result.Type = append(slices.Clone(kind), "null")
		}
		return &result
	}
	if s.Ref == "" && s.OneOf == nil {
		return s // accepts null already
	}
	return &schema{AnyOf: []*schema{s, {Type: "null"}}}
}

// bulk returns the schema of an array, or an object that holds it. Both are named
// components if the elements are: tools that compare documents identify alternatives
// by name.
func (s *schemas) bulk(t reflect.Type, dir direction) *schema {
	list := &schema{Type: "array", Items: s.of(t.Elem(), dir), MinItems: "1", MaxItems: "1000"}
	envelope := &schema{Type: "object", Required: []string{"items"}}
	if list.Items.Ref == "" {
		envelope.Properties.set("items", list)
		return &schema{OneOf: []*schema{list, envelope}}
	}
	element := path.Base(list.Items.Ref)
	name, known := s.names[use{t, dir}]
	for i := 1; !known; i++ {
		if name = element; i > 1 {
			name += strconv.Itoa(i)
		}
		_, one := s.components.get(name + "List")
		_, other := s.components.get(name + "Items")
		known = !one && !other
	}
	s.names[use{t, dir}] = name
	s.components.set(name+"List", list)
	envelope.Properties.set("items", &schema{Ref: "#/components/schemas/" + name + "List"})
	s.components.set(name+"Items", envelope)
	return &schema{OneOf: []*schema{{Ref: "#/components/schemas/" + name + "List"}, {Ref: "#/components/schemas/" + name + "Items"}}}
}

// named returns a reference to the component of a struct, or the schema itself if the
// struct is anonymous.
func (s *schemas) named(t reflect.Type, dir direction) *schema {
	if t.Name() == "" {
		result := &schema{}
		s.fill(result, t, dir)
		return result
	}
	name, known := s.names[use{t, dir}]
	if !known {
		name = s.name(t, dir)
		s.names[use{t, dir}] = name
		result := &schema{}
		s.components.set(name, result) // before fill, for recursive types
		s.fill(result, t, dir)
	}
	return &schema{Ref: "#/components/schemas/" + name}
}

// name returns a free component name for a type: "Post" for model.Post, "PagePost"
// for db.Page[model.Post], "PostsCreateBody" for posts.createBody.
func (s *schemas) name(t reflect.Type, dir direction) string {
	name := typeName(t.Name(), path.Base(t.PkgPath()))
	candidates := []string{name, camel(path.Base(t.PkgPath())) + name}
	if _, other := s.names[use{t, out - dir}]; other && dir == in {
		candidates = []string{name + "Input"}
	}
	for i := 2; ; i++ {
		for _, c := range candidates {
			if _, taken := s.components.get(c); !taken && c != "Error" {
				return c
			}
		}
		candidates = []string{name + strconv.Itoa(i)}
	}
}

// typeName converts the name of a Go type, with its type arguments, to camel case.
func typeName(name, pkg string) string {
	base, args, generic := strings.Cut(name, "[")
	if base[0] >= 'a' && base[0] <= 'z' {
		base = camel(pkg) + camel(base)
	}
	if !generic {
		return camel(base)
	}
	for arg := range strings.SplitSeq(strings.TrimSuffix(args, "]"), ",") {
		arg = strings.TrimLeft(arg, "*[]")
		dot := strings.LastIndex(arg, ".")
		if inner := strings.Index(arg, "["); inner >= 0 {
			dot = strings.LastIndex(arg[:inner], ".")
		}
		base += typeName(arg[dot+1:], path.Base(arg[:max(dot, 0)]))
	}
	return camel(base)
}

// fill adds the properties of a struct.
func (s *schemas) fill(result *schema, t reflect.Type, dir direction) {
	result.Type = "object"
	for _, key := range web.Keys(t) {
		rules := key.Field.Tag.Get("binding")
		if also := key.Field.Tag.Get("schema"); also != "" {
			rules += "," + also // rules enforced by Check
		}
		if dir == out {
			rules = lastingRules(rules)
		}
		property := s.of(key.Field.Type, dir)
		// Client generators treat a property that may be anything as optional, so it
		// is not required.
		if required := hasRule(rules, "required"); required || dir == out && !key.Omit && !reflect.DeepEqual(property, &schema{}) {
			result.Required = append(result.Required, key.Name)
			if required && key.Field.Type.Kind() == reflect.Pointer {
				property = s.of(key.Field.Type.Elem(), dir)
			}
		} else if dir == out && key.Field.Type.Kind() == reflect.Pointer {
			property = s.of(key.Field.Type.Elem(), dir) // omitted instead of null
		}
		limit(property, key.Field.Type, rules)
		if property = normalized(property); property.Ref == "" {
			property.Description = cmp.Or(key.Field.Tag.Get("doc"), property.Description, wellKnown[key.Name])
		}
		if text, ok := key.Field.Tag.Lookup("example"); ok && property.Ref == "" {
			property.Examples = []any{literal(key.Field.Type, text)}
		}
		if format := key.Field.Tag.Get("format"); format != "" {
			property.Format = format
		}
		result.Properties.set(key.Name, property)
	}
}

// value returns the schema of a parameter, which can be absent but not null.
func (s *schemas) value(t reflect.Type, rules string) *schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	result := s.of(t, in)
	limit(result, t, rules)
	return normalized(result)
}

// wellKnown describes the properties common to all tables.
var wellKnown = map[string]string{
	"id": "Unique identifier.", "created_at": "When it was created, in UTC.", "updated_at": "When it was last changed, in UTC.",
}

// lastingRules returns the rules that hold for stored values as well as for input:
// other rules may have been stricter or weaker when a row was written.
func lastingRules(rules string) string {
	var kept []string
	for rule := range strings.SplitSeq(rules, ",") {
		if name, _, _ := strings.Cut(rule, "="); name == "oneof" || name == "dive" || formats[name] != "" || patterns[name].expression != "" {
			kept = append(kept, rule)
		}
	}
	return strings.Join(kept, ",")
}

// normalized returns the schema in a form that tools understand: null is an
// alternative to an enum rather than one of its types, and examples that break the
// rules are dropped.
func normalized(s *schema) *schema {
	if s.Items != nil {
		s.Items = normalized(s.Items)
	}
	if text, ok := example(s); ok {
		s.Examples = []any{text}
	} else {
		s.Examples = nil
	}
	if s.Enum == nil || !slices.Contains(s.types(), "null") {
		return s
	}
	values := *s
	values.Type, values.Description, values.Default = s.kind(), "", nil
	return &schema{AnyOf: []*schema{&values, {Type: "null"}}, Description: s.Description, Default: s.Default}
}

// example adapts the example of a schema to its length limits. ok is false if there
// is none that matches.
func example(s *schema) (string, bool) {
	if len(s.Examples) == 0 {
		return "", false
	}
	text, _ := s.Examples[0].(string)
	least, _ := s.MinLength.Int64()
	for text != "" && int64(len(text)) < least {
		text += text
	}
	if most, err := s.MaxLength.Int64(); err == nil && int64(len(text)) > most {
		text = text[:max(0, most)]
	}
	fits, err := regexp.MatchString(s.Pattern, text)
	return text, err == nil && fits
}

// literal converts a default to its JSON value.
func literal(t reflect.Type, text string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return text == "true" || text == "1"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if !t.Implements(textMarshaler) && json.Valid([]byte(text)) {
			return json.Number(text)
		}
	case reflect.Slice:
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, literal(t.Elem(), part))
		}
		return list
	}
	return text
}
