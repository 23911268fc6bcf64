package db

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// maxBeside is the maximum number of related rows that Beside loads.
const maxBeside = 100

// Beside limits the preloaded rows of a relation to the first 100 by key. It is for
// the Preload of a relation of unbounded size:
//
//	tx.Preload("Comments", db.Beside)
//
// To return all of them, use a list of their own.
func Beside(tx *gorm.DB) *gorm.DB {
	key := clause.Column{Table: clause.CurrentTable, Name: clause.PrimaryKey}
	return tx.Order(clause.OrderByColumn{Column: key}).Limit(maxBeside)
}
