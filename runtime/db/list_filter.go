package db

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Where keeps the rows whose column equals value, ignoring case for columns of
// [NoCase] and [UniqueNoCase]; nil keeps every row. The column is quoted, but must
// not come from user input.
func Where[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(comparison{column, "=", *value})
}

// AtLeast keeps the rows whose column is at least value; nil keeps every row.
func AtLeast[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(comparison{column, ">=", *value})
}

// AtMost keeps the rows whose column is at most value; nil keeps every row.
func AtMost[T any](tx *gorm.DB, column string, value *T) *gorm.DB {
	if value == nil {
		return tx
	}
	return tx.Where(comparison{column, "<=", *value})
}

// current returns a column of the statement's own table, so that joins do not make
// its name ambiguous.
func current(column string) clause.Column {
	return clause.Column{Table: clause.CurrentTable, Name: column}
}
