package db

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// AddColumns adds to a table the columns that a struct declares, with their
// indexes, checks and foreign keys, for migrations. table is a pointer to a struct
// with GORM's tags that holds the new columns and the existing primary key. Columns
// that exist are skipped, so on MySQL a migration that failed half way can be run
// again.
//
// Existing rows get the default of a column, or null; a required column without a
// default is an error on every database.
func AddColumns(tx *gorm.DB, table any) error {
	return withColumns(tx, table, func(a columns) error {
		m := tx.Migrator()
		fresh := map[*schema.Field]bool{} // columns that are null in every row
		for _, field := range a.fields {
			if a.has(tx, field) {
				continue
			}
			sql, vars := "ALTER TABLE ? ADD ? ?", []any{clause.Table{Name: a.name}, clause.Column{Name: field.DBName}, m.FullDataTypeOf(field)}
			if key := a.keys[field]; key != nil && tx.Name() == "sqlite" {
				// SQLite adds a reference only together with its column, and so
				// only one of a single column; see addKeyTriggers.
				sql += " REFERENCES ? (?)"
				vars = append(vars, clause.Table{Name: key.ReferenceSchema.Table}, clause.Column{Name: key.References[len(key.References)-1].DBName})
				if key.OnDelete != "" {
					sql += " ON DELETE " + key.OnDelete
				}
			}
			if check, ok := a.checks[field]; ok && tx.Name() == "sqlite" {
				statement, checked := check.Build()
				sql, vars = sql+" "+statement, append(vars, checked...)
			}
			if tx.Name() == "sqlite" {
				// SQLite cannot add a stored generated column.
				vars[2] = virtual(vars[2].(clause.Expr))
			}
			if err := run(tx, sql, vars...); err != nil {
				return err
			}
			fresh[field] = !field.NotNull && !field.HasDefaultValue
			if key := a.keys[field]; key != nil && tx.Name() == "sqlite" && len(key.ForeignKeys) > 1 {
				if err := addKeyTriggers(tx, a.name, key); err != nil {
					return err
				}
			}
		}
		for _, field := range a.fields {
			if check, ok := a.checks[field]; ok && tx.Name() != "sqlite" {
				if err := constrain(tx, a.name, check.Name, &check, false); err != nil {
					return err
				}
			}
			key := a.keys[field]
			if key == nil || tx.Name() == "sqlite" {
				continue
			}
			add := func(tx *gorm.DB) error { return constrain(tx, a.name, key.Name, key, false) }
			if online(tx) && fresh[field] {
				add = skipChecks(add)
			}
			if err := add(tx); err != nil {
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

// DropColumns undoes AddColumns, including UniqueNoCase and UniqueFold on its
// columns. The values of the columns are lost.
func DropColumns(tx *gorm.DB, table any) error {
	was, err := declare(tx, "", table)
	if err != nil {
		return err
	}
	c := change{tx: tx, was: was, is: declared{table: was.table}}
	c.compare()
	return c.apply()
}

// columns is the part of a table that a struct declares, without its primary key.
type columns struct {
	name       string
	fields     []*schema.Field
	referenced []string                             // columns that it only references
	keys       map[*schema.Field]*schema.Constraint // foreign keys, by their last column
	checks     map[*schema.Field]schema.CheckConstraint
	indexes    []string
}

// withColumns calls f with the declaration of table.
func withColumns(tx *gorm.DB, table any, f func(columns) error) error {
	stmt := &gorm.Statement{DB: tx}
	if err := stmt.Parse(table); err != nil {
		return fmt.Errorf("columns of %T: %w", table, err)
	}
	a := columns{name: stmt.Schema.Table, keys: map[*schema.Field]*schema.Constraint{}, checks: map[*schema.Field]schema.CheckConstraint{}}
	for _, name := range stmt.Schema.DBNames {
		// A field without write permission only references an existing column, for
		// an index.
		switch field := stmt.Schema.FieldsByDBName[name]; {
		case field.PrimaryKey:
		case field.Creatable:
			a.fields = append(a.fields, field)
		default:
			a.referenced = append(a.referenced, name)
		}
	}
	for _, rel := range stmt.Schema.Relationships.Relations {
		if key := rel.ParseConstraint(); key != nil && rel.Type == schema.BelongsTo {
			a.keys[key.ForeignKeys[len(key.ForeignKeys)-1]] = key
		}
	}
	for _, check := range stmt.Schema.ParseCheckConstraints() {
		a.checks[check.Field] = check
	}
	for _, index := range stmt.Schema.ParseIndexes() {
		a.indexes = append(a.indexes, index.Name)
	}
	return f(a)
}

// has reports whether the column exists. SQLite's migrator would not find generated
// columns.
func (a columns) has(tx *gorm.DB, field *schema.Field) bool {
	if tx.Name() != "sqlite" {
		return tx.Migrator().HasColumn(a.name, field.DBName)
	}
	var n int
	err := tx.Raw("SELECT count(*) FROM pragma_table_xinfo(?) WHERE name = ?", a.name, field.DBName).Scan(&n).Error
	return err == nil && n > 0
}

// virtual makes a stored generated column a virtual one.
func virtual(of clause.Expr) clause.Expr {
	of.SQL = strings.Replace(of.SQL, " STORED", " VIRTUAL", 1)
	return of
}

// addKeyTriggers adds a reference of several columns on SQLite, which cannot add such
// a foreign key to an existing table: triggers enforce it instead.
func addKeyTriggers(tx *gorm.DB, table string, key *schema.Constraint) error {
	last := len(key.ForeignKeys) - 1
	var same []string
	vars := []any{clause.Column{Name: key.ForeignKeys[last].DBName}, clause.Table{Name: key.ReferenceSchema.Table}}
	for i, field := range key.ForeignKeys {
		same = append(same, "? = NEW.?")
		vars = append(vars, clause.Column{Name: key.References[i].DBName}, clause.Column{Name: field.DBName})
	}
	for i, name := range triggers(key) {
		event := []string{"INSERT", "UPDATE"}[i]
		err := tx.Exec("CREATE TRIGGER ? BEFORE "+event+" ON ? WHEN NEW.? IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ? WHERE "+
			strings.Join(same, " AND ")+") BEGIN SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed: "+table+"."+key.ForeignKeys[last].DBName+"'); END",
			append([]any{clause.Column{Name: name}, clause.Table{Name: table}}, vars...)...).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// triggers returns the names of the triggers of addKeyTriggers.
func triggers(key *schema.Constraint) []string {
	return []string{key.Name + "_insert", key.Name + "_update"}
}

// CreateTables creates tables in the order of their references, for migrations:
// like CreateTable of GORM's migrator, but including references of several columns
// from a table to itself.
//
// In an online migration existing tables are skipped.
func CreateTables(tx *gorm.DB, tables ...any) error {
	if online(tx) {
		for _, table := range tables {
			if tx.Migrator().HasTable(table) {
				continue
			}
			if err := withBriefLock(tx, func(tx *gorm.DB) error { return CreateTables(tx, table) }); err != nil {
				return err
			}
		}
		return nil
	}
	later := map[string]any{}
	for _, table := range tables {
		stmt := &gorm.Statement{DB: tx}
		if err := stmt.Parse(table); err != nil {
			return fmt.Errorf("columns of %T: %w", table, err)
		}
		for _, rel := range stmt.Schema.Relationships.Relations {
			// On PostgreSQL the reference needs an index, which is created after
			// the table.
			if tx.Name() == "postgres" && rel.FieldSchema == stmt.Schema && len(rel.References) > 1 {
				rel.Field.IgnoreMigration = true
				later[rel.ParseConstraint().Name] = table
			}
		}
	}
	if err := tx.Migrator().CreateTable(tables...); err != nil {
		return err
	}
	for name, table := range later {
		if err := tx.Migrator().CreateConstraint(table, name); err != nil {
			return err
		}
	}
	return nil
}
