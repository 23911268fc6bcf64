package db

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Baseline creates a schema that existed before its project, for a migration. On an
// empty database it runs the statements; if all of the tables exist, it does
// nothing, and if only some exist, it returns an error that names the others.
func Baseline(tx *gorm.DB, tables, statements []string) error {
	var missing []string
	for _, table := range tables {
		if !tx.Migrator().HasTable(table) {
			missing = append(missing, table)
		}
	}
	switch {
	case len(missing) == 0:
		return nil
	case len(missing) < len(tables):
		return fmt.Errorf("the database has some tables of the baseline and lacks %s", strings.Join(missing, ", "))
	}
	return execAll(tx, statements)
}

// Unbuild undoes Baseline, unless one of the tables has a row: then it returns an
// error and changes nothing.
func Unbuild(tx *gorm.DB, tables, statements []string) error {
	for _, table := range tables {
		if !tx.Migrator().HasTable(table) {
			continue
		}
		var rows []int
		if err := tx.Raw("SELECT 1 FROM ? LIMIT 1", clause.Table{Name: table}).Scan(&rows).Error; err != nil {
			return err
		}
		if len(rows) > 0 {
			return fmt.Errorf("the table %s has rows: the baseline is rolled back only where all tables are empty", table)
		}
	}
	return execAll(tx, statements)
}

func execAll(tx *gorm.DB, statements []string) error {
	for _, statement := range statements {
		if err := tx.Exec(statement).Error; err != nil {
			first, _, _ := strings.Cut(statement, "\n")
			return fmt.Errorf("%.80s: %w", first, err)
		}
	}
	return nil
}
