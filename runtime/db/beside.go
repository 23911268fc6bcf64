package db

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// maxBeside is how many rows of a relation come with a row.
const maxBeside = 100

// Beside bounds the rows that come with one row: its first 100 by their key.
// It is for the Preload of a relation that has no other end:
//
//	tx.Preload("Comments", db.Beside)
//
// All of them are for a list of their own.
func Beside(tx *gorm.DB) *gorm.DB {
	key := clause.Column{Table: clause.CurrentTable, Name: clause.PrimaryKey}
	return tx.Order(clause.OrderByColumn{Column: key}).Limit(maxBeside)
}
