package openapi

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/runtime/web"
)

// patterns maps rules to an equivalent regular expression, with an example that
// matches it.
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

// maxPattern is the maximum length of a regular expression in the document.
const maxPattern = 500

// formats maps rules to a format of JSON Schema.
var formats = map[string]string{
	"email": "email", "url": "uri", "http_url": "uri", "uri": "uri", "uuid": "uuid", "uuid4": "uuid", "uuid7": "uuid",
	"ipv4": "ipv4", "ipv6": "ipv6", "hostname": "hostname", "hostname_rfc1123": "hostname", "fqdn": "hostname",
}

// limit adds the rules of a field of type t to a schema. Rules that JSON Schema
// cannot express are omitted.
func limit(s *schema, t reflect.Type, rules string) {
	pointer := t.Kind() == reflect.Pointer // on a pointer, required only means present
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
		// A type with a text form: the bounds are not lengths.
		if name == "decimal" {
			pattern, example := decimals(param)
			s.Pattern, s.Examples = strings.Replace(s.Pattern, anyDecimal, pattern, 1), []any{example}
			return
		}
		unit := "."
		if n, err := strconv.Atoi(param); err == nil && s.ContentEncoding == "base64" {
			s.bound(name, json.Number(strconv.Itoa(base64.StdEncoding.EncodedLen(n))), &s.MinLength, &s.MaxLength)
			unit = " bytes."
		}
		if word := map[string]string{"min": "At least ", "gte": "At least ", "gt": "More than ", "max": "At most ", "lte": "At most ", "lt": "Less than "}[name]; word != "" {
			s.Description = strings.TrimSpace(s.Description + " " + word + web.Bound(t, param) + unit)
			if word == "At least " && numeric && !strings.HasPrefix(param, "-") {
				s.Pattern = strings.Replace(s.Pattern, "^-?", "^", 1) // of a decimal
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
		// Unicode classes expand to thousands of ranges, useless to readers.
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

// anyDecimal is the part of the pattern of a decimal that its digits replace.
const anyDecimal = `[0-9]+(\.[0-9]+)?`

// decimals returns the part of the pattern of a decimal that has the digits of the
// decimal rule, "10 2", and an example. Zeros at both ends do not count.
func decimals(param string) (pattern, example string) {
	var all, behind int
	_, _ = fmt.Sscan(strings.Replace(param, ".", " ", 1), &all, &behind)
	pattern, example = "0+", "0"
	if all > behind {
		pattern, example = fmt.Sprintf("0*[0-9]{1,%d}", all-behind), "9"
	}
	if behind == 0 {
		return pattern + `(\.0+)?`, example
	}
	return pattern + fmt.Sprintf(`(\.[0-9]{1,%d}0*)?`, behind), example + ".90"
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

// types returns the type names of a schema.
func (s *schema) types() []string {
	switch kind := s.Type.(type) {
	case string:
		return []string{kind}
	case []string:
		return kind
	}
	return nil
}

// kind returns the type other than null.
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
