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

// pointRead is the GORM plug-in that makes Find cheap: it builds the text of a read by
// primary key once for each model, and scans the row straight into the model's
// fields. Anything beyond that, such as conditions of other plug-ins, is left to
// GORM.
type pointRead struct {
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
	more []any // its values after the primary key
}

// pointPlan maps the columns of a row to the fields of a model.
type pointPlan struct {
	columns []string
	fields  [][]int // by column, as for reflect's FieldByIndex, nil for none; nil if GORM is to read the row
}

// discard discards a column without a field in the model, such as a folded form.
type discard struct{}

// Scan implements sql.Scanner.
func (discard) Scan(any) error { return nil }

// byKey is the condition of Find. It is passed in the statement's values, which
// costs nothing, until query turns it into SQL.
type byKey struct{ id any }

// Build implements clause.Expression.
func (k byKey) Build(b clause.Builder) {
	clause.Eq{Column: clause.PrimaryColumn, Value: k.id}.Build(b)
}

// Value implements driver.Valuer. It fails because a statement that query has not
// seen must not reach the database, where it would have no condition.
func (byKey) Value() (driver.Value, error) {
	return nil, errors.New("db.Find works with databases of db.Open, and beside plugins that leave the callback gorm:query in place")
}

// takeByKey reads the row with the primary key id, as tx.Take does.
func takeByKey(tx *gorm.DB, row, id any) error {
	tx = tx.Model(row)
	s := tx.Statement
	s.Dest, s.RaiseErrorOnNotFound = row, true
	s.Vars = append(s.Vars[:0], byKey{id})
	return tx.Callback().Query().Execute(tx).Error
}

// Name implements gorm.Plugin.
func (*pointRead) Name() string { return "point" }

// Initialize implements gorm.Plugin.
func (p *pointRead) Initialize(gdb *gorm.DB) error {
	return gdb.Callback().Query().Replace("gorm:query", p.query)
}

func (p *pointRead) query(tx *gorm.DB) {
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
		if !plain && !wholeModel(s) {
			callbacks.Query(tx)
			return
		}
		if callbacks.BuildQuerySQL(tx); plain && tx.Error == nil && len(s.Vars) > 0 {
			p.texts.Store(about, pointText{s.SQL.String(), s.Vars[1:]})
		}
	}
	if ctx := s.Context; tx.Name() == "sqlite" && ctx.Err() == nil {
		// It ends before anyone could cancel it, so database/sql and the driver
		// need not watch the context, each in a goroutine.
		s.Context = context.WithoutCancel(ctx)
		defer func() { s.Context = ctx }()
	}
	if tx.Error != nil || tx.DryRun || !p.read(tx) {
		callbacks.Query(tx)
	}
}

// read runs the statement and fills the model. It returns false if the row does not
// fit the fields as it is, such as a NULL for a string, which GORM can convert.
func (p *pointRead) read(tx *gorm.DB) bool {
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
			into[i] = discard{}
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

// plan returns the field of each column. It is computed again when a migration has
// changed the table.
func (p *pointRead) plan(model *schema.Schema, columns []string) [][]int {
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

// onlyKey reports whether the primary key is the statement's only condition. Nil
// and slices need another text.
func onlyKey(s *gorm.Statement, key byKey) bool {
	switch key.id.(type) {
	case int64, string, uuid.UUID:
		return len(s.Clauses) == 0 && wholeModel(s)
	}
	return false
}

// wholeModel reports whether the statement reads rows of the model with all columns,
// under any conditions, such as those of a rule.
func wholeModel(s *gorm.Statement) bool {
	return s.Schema != nil && s.ReflectValue.Type() == s.Schema.ModelType &&
		s.TableExpr == nil && s.SQL.Len() == 0 && !s.Distinct && len(s.Selects)+len(s.Omits)+len(s.Joins) == 0
}
