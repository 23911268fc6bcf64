package db

import (
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// UniqueFold makes the column of table unique whatever the case as the database
// has it, by an index named idx_<table>_<column>, for migrations: an index on
// lower(column), and on MySQL a plain one, for which the column gets a collation
// without case. SQLite folds the letters of ASCII only. Rows that differ in a
// column of within, such as organisation_id, may have the same; the index is
// named idx_<table>_<within>_<column> then.
//
// Deprecated: use [UniqueNoCase], which is alike on every database, and [Refold]
// for what is there.
func UniqueFold(tx *gorm.DB, table, column string, within ...string) error {
	on := "lower(?)"
	var err error
	switch tx.Name() {
	case "postgres":
		err = recollate(tx, table, column)
	case "mysql":
		on = "?"
		err = withoutCase(tx, table, column)
	}
	if err != nil {
		return err
	}
	return uniqueIndex(tx, on, table, column, foldIndex(table, column, within...), within...)
}

// uniqueIndex makes the index of a column, as on has it, among the rows that are
// alike in the columns of within: those by which rows are looked for come first,
// and not_deleted last.
func uniqueIndex(tx *gorm.DB, on, table, column, name string, within ...string) error {
	groups := grouping(within)
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

// recollate gives a column of PostgreSQL a collation that knows the case of
// every letter: that of texts knows the letters of ASCII, and the database's own
// may.
func recollate(tx *gorm.DB, table, column string) error {
	var kind string
	err := tx.Raw("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(?)) AND attname = ?", table, column).Scan(&kind).Error
	if err != nil {
		return err
	}
	return tx.Exec("ALTER TABLE ? ALTER COLUMN ? TYPE "+kind+` COLLATE "und-x-icu"`, clause.Table{Name: table}, clause.Column{Name: column}).Error
}

// withoutCase gives a column of MySQL a collation without case, unless it has
// one.
func withoutCase(tx *gorm.DB, table, column string) error {
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
	return strings.Join(append(append([]string{"idx", table}, grouping(within)...), column), "_")
}

// notDeleted is the column that is null in rows that are deleted softly.
const notDeleted = "not_deleted"

// grouping are the columns that the name of an index says it is within.
func grouping(within []string) []string {
	return slices.DeleteFunc(slices.Clone(within), func(column string) bool { return column == notDeleted })
}
