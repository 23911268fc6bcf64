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

// allDigits makes decimals keep trailing zeros: 12.50, as for an amount, and not
// 12.5. It is a setting of the library for the whole program.
var allDigits = sync.OnceFunc(func() { decimal.TrimTrailingZeros = false })

// exact is the GORM plug-in that normalizes values to what every database stores,
// so that a handler returns the same after a write as after the next read: times in
// UTC with microseconds, and decimals with the scale of the model's tag, such as
// `gorm:"scale:2"`. It rejects times outside of the years 1 to 9999.
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
		gdb.Callback().Create().Before("gorm:create").Register("exact", p.beforeWrite),
		gdb.Callback().Update().Before("gorm:update").Register("exact", p.beforeWrite),
		gdb.Callback().Query().After("gorm:query").Register("exact", p.afterRead),
	)
}

func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// precise returns value with times as they are stored; comparisons need it too,
// since SQLite compares them as text.
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

// plan returns the fields of the model to normalize.
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

// normalized returns value normalized for the field.
func (f exactField) normalized(value any) (any, error) {
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
			return f.normalized(*v)
		}
	case decimal.Decimal:
		return v.Round(f.scale), nil
	case *decimal.Decimal:
		if v != nil {
			return f.normalized(*v)
		}
	}
	return value, nil
}

// beforeWrite normalizes what a statement writes, including times in a map for columns
// that the model does not have.
func (p *exact) beforeWrite(tx *gorm.DB) {
	values, isMap := tx.Statement.Dest.(map[string]any)
	for name, value := range values {
		switch value.(type) { // leave other maps alone: they may be shared
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
					form, err := field.normalized(value)
					values[name], _ = form, tx.AddError(err)
				}
			}
		}
		return
	}
	dest := reflect.ValueOf(tx.Statement.Dest)
	if dest.Kind() == reflect.Struct { // a copy that is addressable
		pointer := reflect.New(dest.Type())
		pointer.Elem().Set(dest)
		tx.Statement.Dest, dest = pointer.Interface(), pointer
	}
	_ = tx.AddError(normalize(tx.Statement.Context, s, fields, reflect.Indirect(dest)))
}

// afterRead normalizes what a statement has read: SQLite stores decimals as numbers,
// which have no scale.
func (p *exact) afterRead(tx *gorm.DB) {
	if s := tx.Statement; s.Schema != nil && tx.Error == nil {
		_ = tx.AddError(p.read(tx, s.Schema, s.ReflectValue))
	}
}

// read normalizes rows that were read without GORM's callbacks.
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
				continue // GORM may set it
			}
			form, err := field.normalized(value)
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
