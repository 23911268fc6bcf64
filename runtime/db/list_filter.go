package db

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Where keeps the rows whose column equals value, whatever the case where the column
// is compared so, see [NoCase] and [UniqueNoCase]; nil keeps every row. The column is
// quoted, but must never come from user input.
func Where[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(compared{column, "=", *value})
}

// AtLeast keeps the rows whose column is value or more; nil keeps every row.
func AtLeast[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(compared{column, ">=", *value})
}

// AtMost keeps the rows whose column is value or less; nil keeps every row.
func AtMost[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(compared{column, "<=", *value})
}

// current is a column of the statement's own table, so that joins do not make
// its name ambiguous.
func current(column string) clause.Column {
	return clause.Column{Table: clause.CurrentTable, Name: column}
}
