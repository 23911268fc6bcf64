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

	"github.com/go-playground/validator/v10"
)

// rules is the validator of one application: like Gin's, with the same tag, but a
// separate instance, so that nothing global changes. It adds these rules to those of
// the library:
//
//	notblank        a string with something other than spaces
//	slug            lower-case letters, digits and single hyphens between them
//	pattern=RE      a Go regular expression, which may match anywhere; write a
//	                comma as 0x2C and a bar as 0x7C, as the library requires
//	decimal=10.2    at most 10 digits, at most 2 of them after the decimal point; or "10 2"
//
// For a decimal, min, max, gt, gte, lt and lte compare the value.
type rules struct {
	v       *validator.Validate
	seen    map[reflect.Type]bool
	exact   bool  // one of the types is a decimal, a time or JSON, so that unstorable looks closer
	buffers *pool // for request bodies
	refused []refusedFunc
}

// violation is a failed rule, with the JSON path of the value, or its place and name
// in the request.
type violation struct {
	validator.FieldError
	path string
}

// inlined is the path element of an embedded struct, whose fields JSON promotes.
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

// ruleName returns the name of a field in a violation: its JSON key, or its place and
// name in the request.
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

// prepare registers everything below t with the validator, so that an invalid rule
// fails at startup and not during a request.
func (r *rules) prepare(t reflect.Type) (err error) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
		r.exact = r.exact || isJSON(t)
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
		r.exact = true
		r.v.RegisterCustomTypeFunc(func(v reflect.Value) any {
			if outOfRange(v.Interface()) {
				return 0.0 // already rejected
			}
			return v.Interface().(float).InexactFloat64()
		}, reflect.Zero(t).Interface())
		return nil
	}
	if t == timeType {
		r.exact = true
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

// float is a library's decimal type, which the bounds compare as a float.
type float interface{ InexactFloat64() float64 }

func patternsOf(tag string) error {
	for rule := range strings.SplitSeq(tag, ",") {
		if pattern, ok := strings.CutPrefix(rule, "pattern="); ok {
			// Separators of the tag are escaped in a rule's parameter.
			pattern = strings.NewReplacer("0x2C", ",", "0x7C", "|").Replace(pattern)
			if _, err := regexp.Compile(pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

// outside validates an input that has no body.
func (r *rules) outside(in any) ([]violation, error) {
	found, err := fieldErrors(r.v.Struct(in))
	list := make([]violation, len(found))
	for i, f := range found {
		list[i] = violation{f, f.Field()}
	}
	return list, err
}

// each validates the fields outside the body, for an input that has a body, which is
// validated later.
func (r *rules) each(fields []Field, v reflect.Value) ([]violation, error) {
	var list []violation
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
			list = append(list, violation{b, f.In + ":" + f.Name + b.Field()})
		}
	}
	return list, nil
}

// body returns the function that validates a body of type t.
func (r *rules) body(t reflect.Type, tag string) func(any) ([]violation, error) {
	switch {
	case t.Kind() == reflect.Struct:
		prefix := 0 // length of the type name that the validator puts before each path, if it has one
		if t.Name() != "" {
			prefix = len(t.Name() + ".")
		}
		return func(body any) ([]violation, error) { return paths(r.v.Struct(body), prefix) }
	case tag == "" && slices.Contains([]reflect.Kind{reflect.Slice, reflect.Array, reflect.Map}, t.Kind()) && t.Elem().Kind() != reflect.Uint8:
		tag = "dive"
	case tag == "":
		return func(any) ([]violation, error) { return nil, nil }
	}
	return func(body any) ([]violation, error) { return paths(r.v.Var(body, tag), 0) }
}

func paths(err error, prefix int) ([]violation, error) {
	found, err := fieldErrors(err)
	list := make([]violation, len(found))
	for i, f := range found {
		list[i] = violation{f, strings.ReplaceAll(f.Namespace()[prefix:], inlined+".", "")}
	}
	return list, err
}

func fieldErrors(err error) ([]validator.FieldError, error) {
	if err == nil {
		return nil, nil // the common case, without an allocation
	}
	var found validator.ValidationErrors
	if errors.As(err, &found) {
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

// isDecimal checks the digits of a decimal, which the validator itself treats as a
// float.
func isDecimal(f validator.FieldLevel) bool {
	text := fmt.Sprint(f.Field())
	if parent := f.Parent(); parent.Kind() == reflect.Struct {
		if field := reflect.Indirect(parent.FieldByName(f.StructFieldName())); field.IsValid() && field.CanInterface() {
			value := field.Interface()
			if n, ok := value.(interface{ checked() any }); ok {
				value = n.checked()
			}
			if outOfRange(value) || outOfRange(reflect.Indirect(reflect.ValueOf(value)).Interface()) {
				return true // already rejected
			}
			text = fmt.Sprint(value)
		}
	}
	most, behind := digits(f.Param())
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	fraction = strings.TrimRight(fraction, "0")
	return len(fraction) <= behind && len(strings.TrimLeft(whole, "0")) <= most-behind
}

// digits parses the parameter of the decimal rule.
func digits(param string) (all, behind int) {
	before, after, _ := strings.Cut(strings.Replace(param, " ", ".", 1), ".")
	all, _ = strconv.Atoi(before)
	behind, _ = strconv.Atoi(after)
	return all, behind
}
