package db

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// Key is a primary key of several columns, in the order of the model, for [Find],
// [FindWritable] and [Delete].
type Key []any

// keyIs returns the condition that the primary key of a row of the model equals id.
func keyIs(s *schema.Schema, id any) (clause.Expression, error) {
	parts, several := id.(Key)
	if !several {
		return clause.Eq{Column: clause.PrimaryColumn, Value: id}, nil
	}
	if len(parts) != len(s.PrimaryFields) {
		return nil, fmt.Errorf("%s has a key of %d columns, not %d", s.Table, len(s.PrimaryFields), len(parts))
	}
	var all []clause.Expression
	for i, field := range s.PrimaryFields {
		all = append(all, clause.Eq{Column: clause.Column{Table: clause.CurrentTable, Name: field.DBName}, Value: parts[i]})
	}
	return clause.And(all...), nil
}

// whereKey narrows tx to the row of T whose primary key is id.
func whereKey[T any](tx *gorm.DB, id any) *gorm.DB {
	stmt := &gorm.Statement{DB: tx}
	err := stmt.Parse(new(T))
	var is clause.Expression
	if err == nil {
		is, err = keyIs(stmt.Schema, id)
	}
	if err != nil {
		_ = tx.AddError(err)
		return tx
	}
	return tx.Where(is)
}
