package db

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// point is the GORM plugin that makes Find cheap: the text of a read by
// primary key is built once for each model. Whatever else the statement is to
// do, other plugins' conditions among it, GORM builds as ever.
type point struct{ texts sync.Map } // of pointText, by pointKey

type pointKey struct {
	schema   *schema.Schema
	table    string
	unscoped bool
}

type pointText struct {
	sql  string
	more []any // its values behind the primary key
}

// byKey is the condition of Find.
type byKey struct{ id any }

// Build implements clause.Expression.
func (k byKey) Build(b clause.Builder) {
	clause.Eq{Column: clause.PrimaryColumn, Value: k.id}.Build(b)
}

// Name implements gorm.Plugin.
func (*point) Name() string { return "point" }

// Initialize implements gorm.Plugin.
func (p *point) Initialize(gdb *gorm.DB) error {
	return gdb.Callback().Query().Replace("gorm:query", p.query)
}

func (p *point) query(tx *gorm.DB) {
	s := tx.Statement
	key, ok := onlyKey(s)
	if !ok || tx.Error != nil {
		callbacks.Query(tx)
		return
	}
	about := pointKey{s.Schema, s.Table, s.Unscoped}
	if known, ok := p.texts.Load(about); ok {
		text := known.(pointText)
		s.SQL.WriteString(text.sql)
		s.Vars = append(append(s.Vars, key), text.more...)
	} else if callbacks.BuildQuerySQL(tx); tx.Error == nil && len(s.Vars) > 0 {
		p.texts.Store(about, pointText{s.SQL.String(), s.Vars[1:]})
	}
	if ctx := s.Context; tx.Name() == "sqlite" && ctx.Err() == nil {
		// It is over before anybody could cancel it: database/sql and the
		// driver need not watch for that, in a goroutine each.
		s.Context = context.WithoutCancel(ctx)
		defer func() { s.Context = ctx }()
	}
	callbacks.Query(tx)
}

// onlyKey returns the primary key that is all that the statement asks for.
func onlyKey(s *gorm.Statement) (any, bool) {
	where, _ := s.Clauses["WHERE"].Expression.(clause.Where)
	limit, _ := s.Clauses["LIMIT"].Expression.(clause.Limit)
	if len(where.Exprs) != 1 || len(s.Clauses) != 2 || limit.Limit == nil || *limit.Limit != 1 || limit.Offset != 0 ||
		s.Schema == nil || s.ReflectValue.Type() != s.Schema.ModelType || s.TableExpr != nil || s.SQL.Len() > 0 ||
		s.Distinct || len(s.Selects)+len(s.Omits)+len(s.Joins) > 0 {
		return nil, false
	}
	key, _ := where.Exprs[0].(byKey)
	switch key.id.(type) {
	case int64, string, uuid.UUID:
		return key.id, true
	}
	return nil, false // nil and lists make another text
}
