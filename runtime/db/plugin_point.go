package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// point is the GORM plugin that makes Find cheap: the text of a read by
// primary key is built once for each model, and the row is read straight into
// the model's fields. Whatever else the statement is to do, other plugins'
// conditions among it, GORM does as ever.
type point struct {
	texts sync.Map // of pointText, by pointKey
	plans sync.Map // of pointPlan, by *schema.Schema
}

type pointKey struct {
	schema   *schema.Schema
	table    string
	unscoped bool
}

type pointText struct {
	sql  string
	more []any // its values behind the primary key
}

// pointPlan says into which fields of a model the columns of a row go.
type pointPlan struct {
	columns []string
	fields  [][]int // by column, as reflect's FieldByIndex, nil for none; nil when GORM is to read the row
}

// skipped takes a column that the model has no field for, such as a folded form.
type skipped struct{}

// Scan implements sql.Scanner.
func (skipped) Scan(any) error { return nil }

// byKey is the condition of Find. It rides in the statement's values, where it
// costs nothing, until query makes SQL of it.
type byKey struct{ id any }

// Build implements clause.Expression.
func (k byKey) Build(b clause.Builder) {
	clause.Eq{Column: clause.PrimaryColumn, Value: k.id}.Build(b)
}

// Value implements driver.Valuer: a statement that query has not seen must not
// reach the database, where it would be one without a condition.
func (byKey) Value() (driver.Value, error) {
	return nil, errors.New("db.Find works with databases of db.Open, and beside plugins that leave the callback gorm:query in place")
}

// take reads the row of the primary key id as tx.Take would.
func take(tx *gorm.DB, row, id any) error {
	tx = tx.Model(row)
	s := tx.Statement
	s.Dest, s.RaiseErrorOnNotFound = row, true
	s.Vars = append(s.Vars[:0], byKey{id})
	return tx.Callback().Query().Execute(tx).Error
}

// Name implements gorm.Plugin.
func (*point) Name() string { return "point" }

// Initialize implements gorm.Plugin.
func (p *point) Initialize(gdb *gorm.DB) error {
	return gdb.Callback().Query().Replace("gorm:query", p.query)
}

func (p *point) query(tx *gorm.DB) {
	s := tx.Statement
	if len(s.Vars) != 1 || tx.Error != nil {
		callbacks.Query(tx)
		return
	}
	key, ok := s.Vars[0].(byKey)
	if !ok {
		callbacks.Query(tx)
		return
	}
	s.Vars = s.Vars[:0]
	plain, about := onlyKey(s, key), pointKey{s.Schema, s.Table, s.Unscoped}
	if known, ok := p.texts.Load(about); ok && plain {
		text := known.(pointText)
		s.SQL.WriteString(text.sql)
		s.Vars = append(append(s.Vars, key.id), text.more...)
	} else {
		one := 1
		s.AddClause(clause.Where{Exprs: []clause.Expression{key}})
		s.AddClause(clause.Limit{Limit: &one})
		if !plain && !whole(s) {
			callbacks.Query(tx)
			return
		}
		if callbacks.BuildQuerySQL(tx); plain && tx.Error == nil && len(s.Vars) > 0 {
			p.texts.Store(about, pointText{s.SQL.String(), s.Vars[1:]})
		}
	}
	if ctx := s.Context; tx.Name() == "sqlite" && ctx.Err() == nil {
		// It is over before anybody could cancel it: database/sql and the
		// driver need not watch for that, in a goroutine each.
		s.Context = context.WithoutCancel(ctx)
		defer func() { s.Context = ctx }()
	}
	if tx.Error != nil || tx.DryRun || !p.read(tx) {
		callbacks.Query(tx)
	}
}

// read runs the statement and fills the model. It is false when the row does
// not fit its fields as it is, such as a NULL where the model has a string:
// GORM knows more ways.
func (p *point) read(tx *gorm.DB) bool {
	s := tx.Statement
	rows, err := s.ConnPool.QueryContext(s.Context, s.SQL.String(), s.Vars...)
	if err != nil {
		_ = tx.AddError(err)
		return true
	}
	defer func() { _ = tx.AddError(rows.Close()) }()
	if !rows.Next() {
		if _ = tx.AddError(rows.Err()); tx.Error == nil && s.RaiseErrorOnNotFound {
			_ = tx.AddError(gorm.ErrRecordNotFound)
		}
		return true
	}
	columns, err := rows.Columns()
	if err != nil {
		return false
	}
	fields := p.plan(s.Schema, columns)
	if fields == nil {
		return false
	}
	into := make([]any, len(fields))
	for i, index := range fields {
		if index == nil {
			into[i] = skipped{}
			continue
		}
		into[i] = s.ReflectValue.FieldByIndex(index).Addr().Interface()
	}
	if rows.Scan(into...) != nil {
		return false
	}
	tx.RowsAffected = 1
	return true
}

// plan finds the field of each column. Another plan replaces it when a
// migration has changed the table meanwhile.
func (p *point) plan(model *schema.Schema, columns []string) [][]int {
	if known, ok := p.plans.Load(model); ok && slices.Equal(known.(pointPlan).columns, columns) {
		return known.(pointPlan).fields
	}
	plan := pointPlan{columns: slices.Clone(columns), fields: make([][]int, len(columns))}
	for i, column := range columns {
		field := model.LookUpField(column)
		if field == nil || !field.Readable {
			continue
		}
		if field.Serializer != nil || slices.ContainsFunc(field.StructField.Index, func(i int) bool { return i < 0 }) {
			plan.fields = nil
			break
		}
		plan.fields[i] = field.StructField.Index
	}
	p.plans.Store(model, plan)
	return plan.fields
}

// onlyKey tells whether the primary key is all that the statement asks for.
// Nil and lists make another text.
func onlyKey(s *gorm.Statement, key byKey) bool {
	switch key.id.(type) {
	case int64, string, uuid.UUID:
		return len(s.Clauses) == 0 && whole(s)
	}
	return false
}

// whole tells whether the statement reads rows of the model as they are,
// whatever conditions it has, such as those of a rule.
func whole(s *gorm.Statement) bool {
	return s.Schema != nil && s.ReflectValue.Type() == s.Schema.ModelType &&
		s.TableExpr == nil && s.SQL.Len() == 0 && !s.Distinct && len(s.Selects)+len(s.Omits)+len(s.Joins) == 0
}
