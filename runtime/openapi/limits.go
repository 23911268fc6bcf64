package openapi

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/nexios-go/nexios/runtime/web"
)

// patterns are the rules that JSON Schema says by a regular expression, each
// with a text that it lets pass.
var patterns = map[string]struct{ expression, example string }{
	"slug":      {`^[a-z0-9]+(-[a-z0-9]+)*$`, "a-short-name"},
	"notblank":  {`\S`, "text"},
	"alpha":     {`^[a-zA-Z]+$`, "letters"},
	"alphanum":  {`^[a-zA-Z0-9]+$`, "letters1"},
	"hexcolor":  {`^#([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`, "#ffcc00"},
	"e164":      {`^\+[1-9][0-9]{7,14}$`, "+4930123456"},
	"numeric":   {`^[-+]?[0-9]+(\.[0-9]+)?$`, "12"},
	"lowercase": {`^[^A-Z]*$`, "text"},
	"uppercase": {`^[^a-z]*$`, "TEXT"},
}

// maxPattern is how long an expression in a document may be.
const maxPattern = 500

// formats are the rules that JSON Schema says by a format.
var formats = map[string]string{
	"email": "email", "url": "uri", "http_url": "uri", "uri": "uri", "uuid": "uuid", "uuid4": "uuid", "uuid7": "uuid",
	"ipv4": "ipv4", "ipv6": "ipv6", "hostname": "hostname", "hostname_rfc1123": "hostname", "fqdn": "hostname",
}

// limit adds to a schema what the rules of a field of type t demand. Rules
// that JSON Schema cannot say are left out.
func limit(s *schema, t reflect.Type, rules string) {
	pointer := t.Kind() == reflect.Pointer // required of a pointer asks for presence only
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == webPackage && strings.HasPrefix(t.Name(), "Null[") {
		value, _ := t.FieldByName("Value")
		t = value.Type
	}
	own, elements, dives := strings.Cut(rules, "dive")
	for rule := range strings.SplitSeq(own, ",") {
		name, param, _ := strings.Cut(rule, "=")
		if strings.Contains(rule, "|") || name == "" || name == "required" && pointer || s.Ref != "" {
			continue
		}
		param = strings.NewReplacer("0x2C", ",", "0x7C", "|").Replace(param)
		s.apply(t, name, param)
	}
	if dives && s.Items != nil {
		limit(s.Items, t.Elem(), strings.TrimPrefix(elements, ","))
	}
}

func (s *schema) apply(t reflect.Type, name, param string) {
	number := json.Number(param)
	numeric := json.Valid([]byte(param)) && param != "" && strings.Trim(param, "0123456789+-.eE") == ""
	kind := s.kind()
	if kind == "string" && t.Kind() != reflect.String {
		// A type that is written as a text: its bounds are not lengths.
		if word := map[string]string{"min": "At least ", "gte": "At least ", "gt": "More than ", "max": "At most ", "lte": "At most ", "lt": "Less than "}[name]; word != "" {
			s.Description = strings.TrimSpace(s.Description + " " + word + web.Bound(t, param) + ".")
			if word == "At least " && numeric && !strings.HasPrefix(param, "-") {
				s.Pattern = strings.Replace(s.Pattern, "^-?", "^", 1) // a decimal's
			}
		}
		return
	}
	switch {
	case formats[name] != "" && kind == "string":
		s.Format = formats[name]
	case patterns[name].expression != "" && kind == "string":
		s.Pattern, s.Examples = patterns[name].expression, []any{patterns[name].example}
	case name == "pattern" && kind == "string":
		// Classes of Unicode become thousands of ranges, which tell nobody anything.
		if pattern := ecma(param); len(pattern) <= maxPattern {
			s.Pattern = pattern
		}
	case name == "required" && kind == "string" && s.MinLength == "":
		s.MinLength = "1"
	case name == "unique" && kind == "array":
		s.UniqueItems = true
	case name == "oneof":
		s.Enum = nil
		for word := range strings.FieldsSeq(param) {
			s.Enum = append(s.Enum, literal(t, strings.Trim(word, "'")))
		}
	case !numeric:
	case kind == "string":
		s.bound(name, number, &s.MinLength, &s.MaxLength)
	case kind == "array":
		s.bound(name, number, &s.MinItems, &s.MaxItems)
	case kind == "integer" || kind == "number":
		switch name {
		case "gt":
			s.ExclusiveMinimum = number
		case "lt":
			s.ExclusiveMaximum = number
		default:
			s.bound(name, number, &s.Minimum, &s.Maximum)
		}
	}
}

func (s *schema) bound(name string, n json.Number, least, most *json.Number) {
	switch name {
	case "min", "gte":
		*least = n
	case "max", "lte":
		*most = n
	case "len":
		*least, *most = n, n
	}
}

// types are the names of a schema's types.
func (s *schema) types() []string {
	switch kind := s.Type.(type) {
	case string:
		return []string{kind}
	case []string:
		return kind
	}
	return nil
}

// kind is the one type beside null.
func (s *schema) kind() string {
	for _, name := range s.types() {
		if name != "null" {
			return name
		}
	}
	return ""
}

func hasRule(rules, name string) bool {
	for rule := range strings.SplitSeq(rules, ",") {
		if rule == "dive" {
			return false
		}
		if rule == name {
			return true
		}
	}
	return false
}
