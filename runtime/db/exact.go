package db

import (
	"errors"
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// instants is the GORM plugin that brings times to UTC and microseconds before
// they are written, so that what a handler answers after a write is what the
// next read answers.
type instants struct{}

// Name implements gorm.Plugin.
func (instants) Name() string { return "instants" }

// Initialize implements gorm.Plugin.
func (instants) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Create().Before("gorm:create").Register("instants", normalize),
		gdb.Callback().Update().Before("gorm:update").Register("instants", normalize),
	)
}

func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func normalize(tx *gorm.DB) {
	s := tx.Statement.Schema
	if s == nil || tx.Error != nil {
		return
	}
	if values, ok := tx.Statement.Dest.(map[string]any); ok {
		for name, value := range values {
			if t, ok := value.(time.Time); ok {
				values[name] = instant(t)
			}
		}
		return
	}
	var fields []*schema.Field
	for _, field := range s.Fields {
		if field.IndirectFieldType == reflect.TypeFor[time.Time]() {
			fields = append(fields, field)
		}
	}
	if len(fields) == 0 {
		return
	}
	dest := reflect.ValueOf(tx.Statement.Dest)
	if dest.Kind() == reflect.Struct { // a copy that can be set
		pointer := reflect.New(dest.Type())
		pointer.Elem().Set(dest)
		tx.Statement.Dest, dest = pointer.Interface(), pointer
	}
	for _, row := range rows(reflect.Indirect(dest)) {
		if row.Type() != s.ModelType || !row.CanAddr() {
			continue
		}
		for _, field := range fields {
			value, zero := field.ValueOf(tx.Statement.Context, row)
			if zero {
				continue
			}
			switch t := value.(type) {
			case time.Time:
				_ = tx.AddError(field.Set(tx.Statement.Context, row, instant(t)))
			case *time.Time:
				_ = tx.AddError(field.Set(tx.Statement.Context, row, instant(*t)))
			}
		}
	}
}
