package web

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"

	"github.com/nexios-go/nexios/runtime/fault"
)

// rules is the validator of one application: Gin's own, with its tag, on an
// instance of its own, so that nothing global is changed. Beside the library's
// rules it knows:
//
//	notblank        a string with something else than spaces
//	slug            lower-case letters, digits and single hyphens between them
//	pattern=RE      a Go regular expression, which must match somewhere; a comma
//	                in it is written 0x2C and a bar 0x7C, as the library has it
//	decimal=10.2    at most 10 digits, at most 2 of them behind the point; or "10 2"
//
// A decimal's min, max, gt, gte, lt and lte compare its value.
type rules struct {
	v        *validator.Validate
	seen     map[reflect.Type]bool
	decimals bool  // one of the types is a decimal
	buffers  *pool // for the bodies that the rules are asked about
}

// broken is a rule that a value breaks, with the value's path in JSON, or where
// it is read and under which name.
type broken struct {
	validator.FieldError
	path string
}

// inlined stands in a path for an embedded struct, whose fields JSON writes
// into the one around it.
const inlined = "~"

func newRules() *rules {
	r := &rules{v: validator.New(validator.WithRequiredStructEnabled()), seen: make(map[reflect.Type]bool), buffers: new(pool)}
	r.v.SetTagName("binding")
	r.v.RegisterTagNameFunc(ruleName)
	patterns := new(sync.Map)
	for tag, check := range map[string]validator.Func{
		"notblank": func(f validator.FieldLevel) bool { return strings.TrimSpace(f.Field().String()) != "" },
		"slug":     func(f validator.FieldLevel) bool { return isSlug(f.Field().String()) },
		"decimal":  isDecimal,
		"pattern": func(f validator.FieldLevel) bool {
			re, ok := patterns.Load(f.Param())
			if !ok {
				re, _ = patterns.LoadOrStore(f.Param(), regexp.MustCompile(f.Param()))
			}
			return re.(*regexp.Regexp).MatchString(f.Field().String())
		},
	} {
		// It fails only for an empty name.
		_ = r.v.RegisterValidation(tag, check)
	}
	return r
}

// ruleName is what a field is called in a broken rule: its JSON key, or where
// and under which name it is read.
func ruleName(f reflect.StructField) string {
	if field, ok := fieldOf(f); ok {
		return field.In + ":" + field.Name
	}
	name, inline := jsonName(f)
	if inline {
		return inlined
	}
	return name
}

// prepare makes everything below t known to the validator, so that a rule that
// cannot work stops the start and not a request.
func (r *rules) prepare(t reflect.Type) (err error) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || r.seen[t] {
		return nil
	}
	r.seen[t] = true
	switch reflect.New(t).Interface().(type) {
	case interface{ checked() any }:
		r.v.RegisterCustomTypeFunc(func(v reflect.Value) any {
			return v.Interface().(interface{ checked() any }).checked()
		}, reflect.Zero(t).Interface())
		f, _ := t.FieldByName("Value")
		return r.prepare(f.Type)
	case float:
		r.decimals = true
		r.v.RegisterCustomTypeFunc(func(v reflect.Value) any {
			if absurd(v.Interface()) {
				return 0.0 // which has been refused
			}
			return v.Interface().(float).InexactFloat64()
		}, reflect.Zero(t).Interface())
		return nil
	}
	if opaque(t) {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() {
			continue
		}
		if err := patternsOf(f.Tag.Get("binding")); err != nil {
			return fmt.Errorf("%s of %s: %w", f.Name, t, err)
		}
		if err := r.prepare(f.Type); err != nil {
			return err
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the rules of %s: %v", t, p)
		}
	}()
	_ = r.v.Struct(reflect.New(t).Interface())
	return nil
}

// float is a decimal number of a library, as far as its bounds need it.
type float interface{ InexactFloat64() float64 }

func patternsOf(tag string) error {
	for rule := range strings.SplitSeq(tag, ",") {
		if pattern, ok := strings.CutPrefix(rule, "pattern="); ok {
			if _, err := regexp.Compile(unescapeRule(pattern)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unescapeRule gives a rule's parameter the characters that separate rules in
// a tag.
func unescapeRule(param string) string {
	return strings.NewReplacer("0x2C", ",", "0x7C", "|").Replace(param)
}

// outside asks the rules of an input that has no body.
func (r *rules) outside(in any) ([]broken, error) {
	found, err := fieldErrors(r.v.Struct(in))
	list := make([]broken, len(found))
	for i, f := range found {
		list[i] = broken{f, f.Field()}
	}
	return list, err
}

// each asks the rules of single values, for an input that has a body, whose
// own rules are asked later.
func (r *rules) each(fields []Field, v reflect.Value) ([]broken, error) {
	var list []broken
	for i := range fields {
		f := &fields[i]
		if f.Rules == "" {
			continue
		}
		found, err := fieldErrors(r.v.Var(v.FieldByIndex(f.Index).Interface(), f.Rules))
		if err != nil {
			return nil, err
		}
		for _, b := range found {
			list = append(list, broken{b, f.In + ":" + f.Name + b.Field()})
		}
	}
	return list, nil
}

// body returns how the rules of a body of type t are asked.
func (r *rules) body(t reflect.Type, tag string) func(any) ([]broken, error) {
	switch {
	case t.Kind() == reflect.Struct:
		prefix := len(t.Name()) + 1
		return func(body any) ([]broken, error) { return paths(r.v.Struct(body), prefix) }
	case tag == "" && slices.Contains([]reflect.Kind{reflect.Slice, reflect.Array, reflect.Map}, t.Kind()) && t.Elem().Kind() != reflect.Uint8:
		tag = "dive"
	case tag == "":
		return func(any) ([]broken, error) { return nil, nil }
	}
	return func(body any) ([]broken, error) { return paths(r.v.Var(body, tag), 0) }
}

func paths(err error, prefix int) ([]broken, error) {
	found, err := fieldErrors(err)
	list := make([]broken, len(found))
	for i, f := range found {
		list[i] = broken{f, strings.ReplaceAll(f.Namespace()[prefix:], inlined+".", "")}
	}
	return list, err
}

func fieldErrors(err error) ([]validator.FieldError, error) {
	var found validator.ValidationErrors
	if err == nil || errors.As(err, &found) {
		return found, nil
	}
	return nil, err
}

func isSlug(s string) bool {
	for part := range strings.SplitSeq(s, "-") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}

// isDecimal checks the digits of a decimal, which the validator itself sees as
// a float.
func isDecimal(f validator.FieldLevel) bool {
	text := fmt.Sprint(f.Field())
	if parent := f.Parent(); parent.Kind() == reflect.Struct {
		if field := reflect.Indirect(parent.FieldByName(f.StructFieldName())); field.IsValid() && field.CanInterface() {
			value := field.Interface()
			if n, ok := value.(interface{ checked() any }); ok {
				value = n.checked()
			}
			if absurd(value) || absurd(reflect.Indirect(reflect.ValueOf(value)).Interface()) {
				return true // which has been refused
			}
			text = fmt.Sprint(value)
		}
	}
	most, behind := digits(f.Param())
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	fraction = strings.TrimRight(fraction, "0")
	return len(fraction) <= behind && len(strings.TrimLeft(whole, "0")) <= most-behind
}

// digits reads the parameter of the rule decimal.
func digits(param string) (all, behind int) {
	before, after, _ := strings.Cut(strings.Replace(param, " ", ".", 1), ".")
	all, _ = strconv.Atoi(before)
	behind, _ = strconv.Atoi(after)
	return all, behind
}

// detail says which rule is broken and what would not break it.
func detail(path string, f validator.FieldError) fault.Detail {
	return fault.Detail{Field: path, Rule: f.Tag(), Message: sentence(path, advice(f))}
}

// sentence joins a field's path and what is to be said about it: "Author must
// be at least 1" of "author_id".
func sentence(path, predicate string) string {
	name := path[strings.LastIndexAny(path, ".]")+1:]
	if name == "" {
		name, _, _ = strings.Cut(path, "[")
		name = name[strings.LastIndexByte(name, '.')+1:]
	}
	name = strings.TrimSpace(strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " "))
	if name == "" {
		name = "value"
	}
	_, size := utf8.DecodeRuneInString(name)
	return strings.ToUpper(name[:size]) + name[size:] + " " + predicate
}

// advice completes a sentence that begins with the field's name.
func advice(f validator.FieldError) string {
	param := f.Param()
	switch f.Tag() {
	case "required", "required_if", "required_unless", "required_with", "required_with_all", "required_without", "required_without_all":
		return "is required"
	case "min", "gte":
		return "must " + amount(f, "at least")
	case "max", "lte":
		return "must " + amount(f, "at most")
	case "gt":
		return "must " + amount(f, "more than")
	case "lt":
		return "must " + amount(f, "less than")
	case "len":
		return "must " + amount(f, "exactly")
	case "eq":
		return "must be " + param
	case "ne":
		return "must not be " + param
	case "oneof", "oneofci":
		return "must be one of: " + strings.Join(strings.Fields(param), ", ")
	case "email":
		return "must be an e-mail address"
	case "url", "http_url", "uri":
		return "must be a URL"
	case "uuid", "uuid4", "uuid7":
		return "must be a UUID"
	case "slug":
		return "must be lower-case letters and digits with single hyphens between"
	case "notblank":
		return "must not be blank"
	case "pattern":
		return "must match " + param
	case "decimal":
		all, behind := digits(param)
		return fmt.Sprintf("must have at most %d digits, %d of them behind the point", all, behind)
	case "alpha":
		return "must be letters only"
	case "alphanum":
		return "must be letters and digits only"
	case "ascii":
		return "must be ASCII only"
	case "numeric", "number":
		return "must be a number"
	case "lowercase":
		return "must be lower-case"
	case "uppercase":
		return "must be upper-case"
	case "unique":
		return "must not repeat a value"
	case "eqfield":
		return "must be equal to " + words(param)
	case "nefield":
		return "must differ from " + words(param)
	case "gtfield":
		return "must be more than " + words(param)
	case "gtefield":
		return "must not be less than " + words(param)
	case "ltfield":
		return "must be less than " + words(param)
	case "ltefield":
		return "must not be more than " + words(param)
	case "startswith":
		return "must begin with " + param
	case "endswith":
		return "must end with " + param
	case "contains":
		return "must contain " + param
	case "excludes":
		return "must not contain " + param
	case "json":
		return "must be JSON"
	case "base64", "base64url":
		return "must be base64"
	case "ip":
		return "must be an IP address"
	case "ipv4":
		return "must be an IPv4 address"
	case "ipv6":
		return "must be an IPv6 address"
	case "cidr":
		return "must be a network such as 10.0.0.0/8"
	case "hostname", "hostname_rfc1123", "fqdn":
		return "must be a host name"
	case "e164":
		return "must be a telephone number such as +4930123456"
	case "hexcolor":
		return "must be a colour such as #ffcc00"
	case "timezone":
		return "must be a time zone such as Europe/Berlin"
	case "datetime":
		return "must be a time such as " + param
	case "iso4217":
		return "must be a currency such as EUR"
	case "iso3166_1_alpha2":
		return "must be a country such as DE"
	case "bcp47_language_tag":
		return "must be a language such as de-AT"
	case "semver":
		return "must be a version such as 1.2.3"
	case "latitude":
		return "must be a latitude"
	case "longitude":
		return "must be a longitude"
	case "boolean":
		return "must be true or false"
	}
	return "is not valid"
}

// words writes the name of a Go field as words: "starts at" of StartsAt.
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// amount says how much of a value there may be: characters, elements, or the
// value itself.
func amount(f validator.FieldError, compared string) string {
	unit, param := "", f.Param()
	switch f.Kind() {
	case reflect.String:
		unit = " character"
	case reflect.Slice, reflect.Array, reflect.Map:
		unit = " element"
	default:
		if n, err := strconv.ParseInt(param, 10, 64); err == nil && f.Type() != nil && f.Type().Name() == "Duration" {
			param = time.Duration(n).String()
		}
		if compared == "exactly" {
			return "be " + param
		}
		return "be " + compared + " " + param
	}
	if param != "1" {
		unit += "s"
	}
	if f.Kind() == reflect.String {
		return "be " + compared + " " + param + unit + " long"
	}
	return "have " + compared + " " + param + unit
}
