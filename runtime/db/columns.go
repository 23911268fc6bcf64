package db

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// AddColumns adds to a table what a struct declares of it, for migrations: its
// columns, their indexes and their foreign keys. table is a pointer to a struct
// that has GORM's tags and holds what is new, besides the primary key, which is
// there. Columns that are there already are left alone, so that what MySQL
// left half way can be run again.
//
// Rows that are there get the default of a column, or null; a column that takes
// neither is an error on every database.
func AddColumns(tx *gorm.DB, table any) error {
	return addition(tx, table, func(a columns) error {
		m := tx.Migrator()
		for _, field := range a.fields {
			if a.has(tx, field) {
				continue
			}
			sql, vars := "ALTER TABLE ? ADD ? ?", []any{clause.Table{Name: a.name}, clause.Column{Name: field.DBName}, m.FullDataTypeOf(field)}
			if key := a.keys[field]; key != nil && tx.Name() == "sqlite" {
				// SQLite takes a reference only together with its column.
				sql += " REFERENCES ? (?)"
				vars = append(vars, clause.Table{Name: key.ReferenceSchema.Table}, clause.Column{Name: key.References[0].DBName})
				if key.OnDelete != "" {
					sql += " ON DELETE " + key.OnDelete
				}
			}
			if tx.Name() == "sqlite" {
				// It adds no generated column that it would have to fill.
				vars[2] = virtual(vars[2].(clause.Expr))
			}
			if err := tx.Exec(sql, vars...).Error; err != nil {
				return err
			}
		}
		for _, field := range a.fields {
			key := a.keys[field]
			if key == nil || tx.Name() == "sqlite" || m.HasConstraint(table, key.Name) {
				continue
			}
			if err := m.CreateConstraint(table, key.Name); err != nil {
				return err
			}
		}
		for _, index := range a.indexes {
			if m.HasIndex(table, index) {
				continue
			}
			if err := m.CreateIndex(table, index); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropColumns takes back what AddColumns added, and what UniqueFold added to
// it. What the columns hold is lost.
func DropColumns(tx *gorm.DB, table any) error {
	return addition(tx, table, func(a columns) error {
		m := tx.Migrator()
		for _, field := range a.fields {
			if key := a.keys[field]; key != nil && tx.Name() != "sqlite" && m.HasConstraint(table, key.Name) {
				if err := m.DropConstraint(table, key.Name); err != nil {
					return err
				}
			}
			if fold := foldIndex(a.name, field.DBName); !slices.Contains(a.indexes, fold) {
				a.indexes = append(a.indexes, fold)
			}
		}
		for _, index := range a.indexes {
			if !m.HasIndex(table, index) {
				continue
			}
			if err := m.DropIndex(table, index); err != nil {
				return err
			}
		}
		for _, field := range slices.Backward(a.fields) { // what is generated goes before what it is made of
			if !a.has(tx, field) {
				continue
			}
			if err := tx.Exec("ALTER TABLE ? DROP COLUMN ?", clause.Table{Name: a.name}, clause.Column{Name: field.DBName}).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// columns are what a struct declares of a table, besides its primary key.
type columns struct {
	name    string
	fields  []*schema.Field
	keys    map[*schema.Field]*schema.Constraint // foreign keys of one column
	indexes []string
}

// addition calls f with what table declares.
func addition(tx *gorm.DB, table any, f func(columns) error) error {
	stmt := &gorm.Statement{DB: tx}
	if err := stmt.Parse(table); err != nil {
		return fmt.Errorf("columns of %T: %w", table, err)
	}
	a := columns{name: stmt.Schema.Table, keys: map[*schema.Field]*schema.Constraint{}}
	for _, name := range stmt.Schema.DBNames {
		// What cannot be written is there already, and declared for an index.
		if field := stmt.Schema.FieldsByDBName[name]; !field.PrimaryKey && field.Creatable {
			a.fields = append(a.fields, field)
		}
	}
	for _, rel := range stmt.Schema.Relationships.Relations {
		if key := rel.ParseConstraint(); key != nil && rel.Type == schema.BelongsTo && len(key.ForeignKeys) == 1 {
			a.keys[key.ForeignKeys[0]] = key
		}
	}
	for _, index := range stmt.Schema.ParseIndexes() {
		a.indexes = append(a.indexes, index.Name)
	}
	return f(a)
}

// has tells whether the column is there. SQLite's migrator looks where generated
// ones are left out.
func (a columns) has(tx *gorm.DB, field *schema.Field) bool {
	if tx.Name() != "sqlite" {
		return tx.Migrator().HasColumn(a.name, field.DBName)
	}
	var n int
	err := tx.Raw("SELECT count(*) FROM pragma_table_xinfo(?) WHERE name = ?", a.name, field.DBName).Scan(&n).Error
	return err == nil && n > 0
}

// virtual makes a column that is generated when it is written one that is when
// it is read.
func virtual(of clause.Expr) clause.Expr {
	of.SQL = strings.Replace(of.SQL, " STORED", " VIRTUAL", 1)
	return of
}
