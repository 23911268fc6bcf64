package db

import (
	"database/sql/driver"
	"reflect"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// insert is the GORM plugin that makes the Create of one row cheap: the text
// of the statement is built once for each model. Several rows, rows that
// choose their columns or bring their key, and models whose values are more
// than values, GORM writes as ever.
type insert struct {
	create func(*gorm.DB) // GORM's own
	plans  sync.Map       // of []*schema.Field, by *schema.Schema; nil where GORM builds the text
	texts  sync.Map       // of string, by insertKey
}

type insertKey struct {
	schema *schema.Schema
	table  string
}

// Name implements gorm.Plugin.
func (*insert) Name() string { return "insert" }

// Initialize implements gorm.Plugin.
func (p *insert) Initialize(gdb *gorm.DB) error {
	p.create = gdb.Callback().Create().Get("gorm:create")
	return gdb.Callback().Create().Replace("gorm:create", p.write)
}

// write gives GORM's callback the text, so that it builds none.
func (p *insert) write(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || !oneRow(s) {
		p.create(tx)
		return
	}
	fields, key := p.plan(s.Schema), insertKey{s.Schema, s.Table}
	if f, ok := s.Plugins["folding"].(*folding); fields == nil || ok && len(f.columns(s)) > 0 {
		p.create(tx)
		return
	}
	text, known := p.texts.Load(key)
	if !known {
		p.create(tx)
		if tx.Error == nil && len(s.Vars) == len(fields) {
			p.texts.Store(key, s.SQL.String())
		}
		return
	}
	s.SQL.WriteString(text.(string))
	s.Vars = slices.Grow(s.Vars[:0], len(fields))
	now := tx.NowFunc()
	for _, field := range fields {
		value, zero := field.ValueOf(s.Context, s.ReflectValue)
		if zero && field.AutoCreateTime+field.AutoUpdateTime > 0 {
			_ = tx.AddError(field.Set(s.Context, s.ReflectValue, now))
			value, _ = field.ValueOf(s.Context, s.ReflectValue)
		}
		s.Vars = append(s.Vars, value)
	}
	p.create(tx)
}

// oneRow tells whether the statement writes one row, whole, whose key the
// database chooses.
func oneRow(s *gorm.Statement) bool {
	if s.Schema == nil || s.ReflectValue.Type() != s.Schema.ModelType || !s.ReflectValue.CanAddr() ||
		len(s.Clauses)+len(s.Selects)+len(s.Omits)+len(s.Schema.CreateClauses)+s.SQL.Len() > 0 {
		return false
	}
	if _, tracked := s.Get("gorm:update_track_time"); tracked {
		return false
	}
	key := s.Schema.PrioritizedPrimaryField
	if key == nil {
		return false
	}
	_, zero := key.ValueOf(s.Context, s.ReflectValue)
	return zero
}

// plan lists the fields that an INSERT of the model writes, in GORM's order.
func (p *insert) plan(model *schema.Schema) []*schema.Field {
	if known, ok := p.plans.Load(model); ok {
		return known.([]*schema.Field)
	}
	fields := make([]*schema.Field, 0, len(model.DBNames))
	for _, name := range model.DBNames {
		field := model.FieldsByDBName[name]
		if field == model.PrioritizedPrimaryField && field.HasDefaultValue && field.DefaultValueInterface == nil {
			continue // the database's own
		}
		if field.HasDefaultValue || !field.Creatable || field.Serializer != nil || !single(field.FieldType) {
			fields = nil
			break
		}
		fields = append(fields, field)
	}
	p.plans.Store(model, fields)
	return fields
}

// single tells whether a value of type t is one parameter of a statement,
// whatever it holds.
func single(t reflect.Type) bool {
	switch {
	case t.Implements(reflect.TypeFor[gorm.Valuer]()):
		return false // an expression
	case t.Implements(reflect.TypeFor[driver.Valuer]()), t == reflect.TypeFor[[]byte](), t == reflect.TypeFor[time.Time]():
		return true
	case t.Kind() == reflect.Pointer:
		return single(t.Elem())
	}
	return t.Kind() >= reflect.Bool && t.Kind() <= reflect.Float64 || t.Kind() == reflect.String
}
