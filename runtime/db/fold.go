package db

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// UniqueFold makes the column of table unique whatever the case, by an index
// named idx_<table>_<column>, for migrations: an index on lower(column), and
// on MySQL a plain one, whose collation ignores case (and accents) by itself.
// SQLite folds the letters of ASCII only.
func UniqueFold(tx *gorm.DB, table, column string) error {
	on := "lower(?)"
	if tx.Name() == "mysql" {
		on = "?"
		var collation string
		err := tx.Raw("SELECT collation_name FROM information_schema.columns WHERE table_schema = database() AND table_name = ? AND column_name = ?", table, column).Scan(&collation).Error
		if err != nil {
			return err
		}
		if !strings.HasSuffix(collation, "_ci") {
			return fmt.Errorf("column %s.%s is case-sensitive: its collation is %q\n  where: the database's default collation\n  try:   ALTER DATABASE ... COLLATE utf8mb4_unicode_ci, before creating the tables", table, column, collation)
		}
	}
	return tx.Exec("CREATE UNIQUE INDEX ? ON ? ("+on+")",
		clause.Column{Name: foldIndex(table, column)}, clause.Table{Name: table}, clause.Column{Name: column}).Error
}

func foldIndex(table, column string) string { return "idx_" + table + "_" + column }

// WhereFold keeps the rows whose column equals value whatever the case, by the
// index that UniqueFold made.
func WhereFold(tx *gorm.DB, column, value string) *gorm.DB {
	if tx.Name() == "mysql" {
		return tx.Where(clause.Eq{Column: current(column), Value: value})
	}
	return tx.Where(clause.Expr{SQL: "lower(?) = lower(?)", Vars: []any{current(column), value}})
}
