package db

import (
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// UniqueFold makes the column of table unique ignoring case, as the database
// defines it, by an index named idx_<table>_<column>, for migrations: an index on
// lower(column), and on MySQL a plain one after changing the column to a
// case-insensitive collation. SQLite folds ASCII letters only. Rows that differ in
// a column of within, such as organisation_id, may have the same value; the index
// is then named idx_<table>_<within>_<column>.
//
// Deprecated: use [UniqueNoCase], which works the same on every database, and
// [Refold] for existing columns.
func UniqueFold(tx *gorm.DB, table, column string, within ...string) error {
	on := "lower(?)"
	var err error
	switch tx.Name() {
	case "postgres":
		err = recollate(tx, table, column)
	case "mysql":
		on = "?"
		err = makeCaseInsensitive(tx, table, column)
	}
	if err != nil {
		return err
	}
	return uniqueIndex(tx, on, table, column, foldIndex(table, column, within...), within...)
}

// uniqueIndex creates a unique index on an expression of a column, within the
// columns of within: those come first, for lookups, and not_deleted last.
func uniqueIndex(tx *gorm.DB, on, table, column, name string, within ...string) error {
	groups := scopeColumns(within)
	vars := []any{clause.Table{Name: table}}
	for _, name := range groups {
		vars = append(vars, clause.Column{Name: name})
	}
	vars = append(vars, clause.Column{Name: column})
	list := strings.Repeat("?, ", len(groups)) + on
	if len(groups) < len(within) {
		list, vars = list+", ?", append(vars, clause.Column{Name: notDeleted})
	}
	return createIndex(tx, "UNIQUE ", name, "ON ? ("+list+")", vars...)
}

// recollate changes a column of PostgreSQL to a collation that folds every letter:
// that of text columns folds only ASCII, and the database's own may too.
func recollate(tx *gorm.DB, table, column string) error {
	var kind string
	err := tx.Raw("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(?)) AND attname = ?", table, column).Scan(&kind).Error
	if err != nil {
		return err
	}
	return tx.Exec("ALTER TABLE ? ALTER COLUMN ? TYPE "+kind+` COLLATE "und-x-icu"`, clause.Table{Name: table}, clause.Column{Name: column}).Error
}

// makeCaseInsensitive changes a column of MySQL to a case-insensitive collation, unless it
// has one.
func makeCaseInsensitive(tx *gorm.DB, table, column string) error {
	var is struct{ CollationName, ColumnType, IsNullable string }
	err := tx.Raw("SELECT collation_name AS collation_name, column_type AS column_type, is_nullable AS is_nullable FROM information_schema.columns "+
		"WHERE table_schema = database() AND table_name = ? AND column_name = ?", table, column).Scan(&is).Error
	if err != nil || strings.HasSuffix(is.CollationName, "_ci") {
		return err
	}
	_, nocase, err := collations(tx)
	if err != nil {
		return err
	}
	null := ""
	if is.IsNullable == "NO" {
		null = " NOT NULL"
	}
	return tx.Exec("ALTER TABLE ? MODIFY ? "+is.ColumnType+" CHARACTER SET utf8mb4 COLLATE "+nocase+null,
		clause.Table{Name: table}, clause.Column{Name: column}).Error
}

func foldIndex(table, column string, within ...string) string {
	return strings.Join(append(append([]string{"idx", table}, scopeColumns(within)...), column), "_")
}

// notDeleted is the column that is null in soft-deleted rows.
const notDeleted = "not_deleted"

// scopeColumns returns within without not_deleted, as in the name of the index.
func scopeColumns(within []string) []string {
	return slices.DeleteFunc(slices.Clone(within), func(column string) bool { return column == notDeleted })
}
