package web

import (
	"encoding"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setter parses text from the request into a field. Its error completes a sentence
// that begins with the field's name.
type setter func(dst reflect.Value, text string) error

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	timeType        = reflect.TypeFor[time.Time]()
	durationType    = reflect.TypeFor[time.Duration]()
)

// setterOf returns the setter for type t, and whether t holds many values: a slice,
// filled by repeating the parameter or by commas.
func setterOf(t reflect.Type) (set setter, many bool, err error) {
	if t.Kind() == reflect.Pointer {
		set, many, err := setterOf(t.Elem())
		return func(dst reflect.Value, text string) error {
			if dst.IsNil() {
				dst.Set(reflect.New(t.Elem()))
			}
			return set(dst.Elem(), text)
		}, many, err
	}
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return setText(t), false, nil
	}
	if t.Kind() == reflect.Slice {
		set, nested, err := setterOf(t.Elem())
		if nested {
			return nil, false, errors.New("is a list of lists")
		}
		return setList(t, set), true, err
	}
	set = setScalar(t)
	if set == nil {
		return nil, false, errors.New("cannot be parsed from text: " + t.String())
	}
	return set, false, nil
}

func setText(t reflect.Type) setter {
	problem := errors.New(mustBe(t))
	return func(dst reflect.Value, text string) error {
		if t == timeType {
			// An unescaped plus sign arrives as a space.
			text = strings.ReplaceAll(text, " ", "+")
		}
		if dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) != nil || outOfRange(dst.Interface()) {
			dst.SetZero()
			return problem
		}
		return nil
	}
}

func setList(t reflect.Type, set setter) setter {
	return func(dst reflect.Value, text string) error {
		if dst.IsNil() {
			dst.Set(reflect.MakeSlice(t, 0, 1+strings.Count(text, ",")))
		}
		if text == "" {
			return nil
		}
		for part := range strings.SplitSeq(text, ",") {
			dst.Set(reflect.Append(dst, reflect.Zero(t.Elem())))
			if err := set(dst.Index(dst.Len()-1), part); err != nil {
				return err
			}
		}
		return nil
	}
}

func setScalar(t reflect.Type) setter {
	problem := errors.New(mustBe(t))
	// As in JSON: no "T", no "+7", no "0x7", no "NaN".
	plain := func(text string) bool { return !strings.ContainsAny(text, "+xX_nN") }
	switch t.Kind() {
	case reflect.String:
		return func(dst reflect.Value, text string) error {
			dst.SetString(text)
			return nil
		}
	case reflect.Bool:
		return func(dst reflect.Value, text string) error {
			if text != "true" && text != "false" {
				return problem
			}
			dst.SetBool(text == "true")
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(dst reflect.Value, text string) error {
			if t == durationType {
				d, err := time.ParseDuration(text)
				if err != nil {
					return problem
				}
				dst.SetInt(int64(d))
				return nil
			}
			n, err := strconv.ParseInt(text, 10, t.Bits())
			if err != nil || !plain(text) {
				return numberProblem(problem, err)
			}
			dst.SetInt(n)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(dst reflect.Value, text string) error {
			n, err := strconv.ParseUint(text, 10, t.Bits())
			if err != nil || !plain(text) {
				return numberProblem(problem, err)
			}
			dst.SetUint(n)
			return nil
		}
	case reflect.Float32, reflect.Float64:
		return func(dst reflect.Value, text string) error {
			n, err := strconv.ParseFloat(text, t.Bits())
			if err != nil || math.IsInf(n, 0) || strings.ContainsAny(text, "xX_nN") {
				return numberProblem(problem, err)
			}
			dst.SetFloat(n)
			return nil
		}
	}
	return nil
}

// canonicalSetter wraps the setter of a path parameter so that each row has one URL:
// integers without leading zeros, UUIDs in lower case with hyphens.
func canonicalSetter(t reflect.Type, set setter) setter {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var once func(text string) bool
	switch {
	case t.Name() == "UUID":
		once = func(text string) bool { return len(text) == 36 && text == strings.ToLower(text) }
	case t == durationType || reflect.PointerTo(t).Implements(textUnmarshaler):
		return set
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		once = func(text string) bool {
			digits := strings.TrimPrefix(text, "-")
			return text == "0" || digits != "" && digits[0] != '0'
		}
	default:
		return set
	}
	problem := errors.New(mustBe(t))
	return func(dst reflect.Value, text string) error {
		if !once(text) {
			return problem
		}
		return set(dst, text)
	}
}

func numberProblem(problem, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return errors.New("is out of range")
	}
	return problem
}

// mustBe describes a value of type t for an error message.
func mustBe(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if described, ok := Describe(t); ok {
		return described.MustBe()
	}
	if t.Kind() != reflect.String && reflect.PointerTo(t).Implements(textUnmarshaler) {
		return "is not valid"
	}
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "must be a whole number"
	case reflect.Float32, reflect.Float64:
		return "must be a number"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "must be a base64 string"
		}
		return "must be a list"
	case reflect.Struct, reflect.Map:
		return "must be an object"
	}
	return "is not valid"
}
