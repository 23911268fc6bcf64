package config

import (
	"errors"
	"reflect"
)

// validate calls Validate on the struct at pointer and on the structs inside it,
// inner ones first. Duplicate errors are returned once: an embedded struct's Validate
// is promoted to the outer one.
func validate(pointer any) []error {
	var problems []error
	seen := map[string]bool{}
	validateFields(reflect.ValueOf(pointer), func(err error) {
		for _, e := range split(err) {
			if !seen[e.Error()] {
				seen[e.Error()] = true
				problems = append(problems, e)
			}
		}
	})
	return problems
}

func validateFields(pointer reflect.Value, report func(error)) {
	v := pointer.Elem()
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if f := v.Field(i); v.Type().Field(i).IsExported() && f.CanAddr() {
			if f.Kind() == reflect.Pointer && !f.IsNil() {
				validateFields(f, report)
			} else {
				validateFields(f.Addr(), report)
			}
		}
	}
	if validator, ok := pointer.Interface().(interface{ Validate() error }); ok {
		report(validator.Validate())
	}
}

// split returns the errors joined in err.
func split(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	return joined.Unwrap()
}
