package config

import (
	"errors"
	"reflect"
)

// validate asks the struct at pointer, and those inside it first, whether
// their values make sense. What is said twice is returned once: an embedded
// struct speaks for the outer one too.
func validate(pointer any) []error {
	var problems []error
	said := map[string]bool{}
	ask(reflect.ValueOf(pointer), func(err error) {
		for _, e := range split(err) {
			if !said[e.Error()] {
				said[e.Error()] = true
				problems = append(problems, e)
			}
		}
	})
	return problems
}

func ask(pointer reflect.Value, report func(error)) {
	v := pointer.Elem()
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if f := v.Field(i); v.Type().Field(i).IsExported() && f.CanAddr() {
			if f.Kind() == reflect.Pointer && !f.IsNil() {
				ask(f, report)
			} else {
				ask(f.Addr(), report)
			}
		}
	}
	if validator, ok := pointer.Interface().(interface{ Validate() error }); ok {
		report(validator.Validate())
	}
}

// split takes joined errors apart.
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
