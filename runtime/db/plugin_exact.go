package db

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/shopspring/decimal"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// allDigits has decimals written with all digits of their scale: 12.50 is an
// amount, and 12.5 is not. The library has one setting of it for a program.
var allDigits = sync.OnceFunc(func() { decimal.TrimTrailingZeros = false })

// exact is the GORM plugin that brings values to the one form that every
// database keeps, so that what a handler answers after a write is what the next
// read answers: times to UTC and microseconds, and decimals to the scale that
// the model's tag tells, such as `gorm:"scale:2"`. A time that is in no year of
// four digits is refused.
type exact struct{ plans sync.Map } // of []exactField, by *schema.Schema

type exactField struct {
	*schema.Field
	scale int32 // of a decimal
}

// Name implements gorm.Plugin.
func (*exact) Name() string { return "exact" }

// Initialize implements gorm.Plugin.
func (p *exact) Initialize(gdb *gorm.DB) error {
	allDigits()
	return errors.Join(
		gdb.Callback().Create().Before("gorm:create").Register("exact", p.written),
		gdb.Callback().Update().Before("gorm:update").Register("exact", p.written),
		gdb.Callback().Query().After("gorm:query").Register("exact", p.found),
	)
}

func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// precise is a value with its times as they are stored; one to compare with too, as
// SQLite compares texts.
func precise(value any) any {
	switch v := value.(type) {
	case time.Time:
		return instant(v)
	case *time.Time:
		if v != nil {
			return instant(*v)
		}
	}
	return value
}

// plan lists the model's fields that have such a form.
func (p *exact) plan(model *schema.Schema) []exactField {
	if known, ok := p.plans.Load(model); ok {
		return known.([]exactField)
	}
	var fields []exactField
	for _, field := range model.Fields {
		_, scaled := field.TagSettings["SCALE"]
		switch field.IndirectFieldType {
		case reflect.TypeFor[time.Time]():
			fields = append(fields, exactField{Field: field})
		case reflect.TypeFor[decimal.Decimal]():
			if scaled {
				fields = append(fields, exactField{field, int32(field.Scale)}) // #nosec G115 -- the tag says it
			}
		}
	}
	p.plans.Store(model, fields)
	return fields
}

// of is the value of the field in its one form.
func (f exactField) of(value any) (any, error) {
	switch v := value.(type) {
	case time.Time:
		v = instant(v)
		if year := v.Year(); year < 1 || year > 9999 {
			message := Humanize(f.DBName) + " is out of range"
			return v, fault.Invalid(fault.Detail{Field: jsonName(f.Schema, f.DBName), Rule: "value", Message: message})
		}
		return v, nil
	case *time.Time:
		if v != nil {
			return f.of(*v)
		}
	case decimal.Decimal:
		return v.Round(f.scale), nil
	case *decimal.Decimal:
		if v != nil {
			return f.of(*v)
		}
	}
	return value, nil
}

// written brings what a statement writes to its form: times too that a map has for
// columns which the model does not know.
func (p *exact) written(tx *gorm.DB) {
	values, isMap := tx.Statement.Dest.(map[string]any)
	for name, value := range values {
		switch value.(type) { // the others are left alone: their map may be used by many
		case time.Time, *time.Time:
			values[name] = precise(value)
		}
	}
	s := tx.Statement.Schema
	if s == nil || tx.Error != nil {
		return
	}
	fields := p.plan(s)
	if len(fields) == 0 {
		return
	}
	if isMap {
		for _, field := range fields {
			for _, name := range []string{field.DBName, field.Name} {
				if value, ok := values[name]; ok {
					form, err := field.of(value)
					values[name], _ = form, tx.AddError(err)
				}
			}
		}
		return
	}
	dest := reflect.ValueOf(tx.Statement.Dest)
	if dest.Kind() == reflect.Struct { // a copy that can be set
		pointer := reflect.New(dest.Type())
		pointer.Elem().Set(dest)
		tx.Statement.Dest, dest = pointer.Interface(), pointer
	}
	_ = tx.AddError(normalize(tx.Statement.Context, s, fields, reflect.Indirect(dest)))
}

// found brings what a statement read to its form: SQLite keeps numbers, which
// have no scale.
func (p *exact) found(tx *gorm.DB) {
	if s := tx.Statement; s.Schema != nil && tx.Error == nil {
		_ = tx.AddError(p.read(tx, s.Schema, s.ReflectValue))
	}
}

// read brings rows that were read without GORM's callbacks to their form, too.
func (p *exact) read(tx *gorm.DB, model *schema.Schema, value reflect.Value) error {
	if tx.Name() != "sqlite" {
		return nil
	}
	var decimals []exactField
	for _, field := range p.plan(model) {
		if field.IndirectFieldType != reflect.TypeFor[time.Time]() {
			decimals = append(decimals, field)
		}
	}
	if len(decimals) == 0 {
		return nil
	}
	return normalize(tx.Statement.Context, model, decimals, value)
}

func normalize(ctx context.Context, model *schema.Schema, fields []exactField, value reflect.Value) error {
	for _, row := range rows(value) {
		if row.Type() != model.ModelType || !row.CanAddr() {
			continue
		}
		for _, field := range fields {
			value, zero := field.ValueOf(ctx, row)
			if _, time := value.(time.Time); zero && time {
				continue // GORM may have one for it
			}
			form, err := field.of(value)
			if err == nil {
				err = field.Set(ctx, row, form)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
