package db

import (
	"errors"
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/seen"
)

// versionCheck is the GORM plug-in for optimistic locking: it writes a row only in the
// version that the client has seen, by the column of the model's UpdatedAt. The
// check is a condition of the statement, so it works across replicas. A model
// without that column has no version.
type versionCheck struct{}

// Name implements gorm.Plugin.
func (versionCheck) Name() string { return "held" }

// Initialize implements gorm.Plugin.
func (p versionCheck) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Update().Before("gorm:update").Register("held:before", p.before),
		gdb.Callback().Update().After("gorm:update").Register("held:after", p.after),
		gdb.Callback().Delete().Before("deleting:before").Register("held:before", p.before),
		gdb.Callback().Delete().After("gorm:delete").Before("deleting:after").Register("held:after", p.after),
	)
}

// version returns the column that holds the version of a row; nil for none.
func version(s *schema.Schema) *schema.Field {
	if f := s.LookUpField("UpdatedAt"); f != nil && f.AutoUpdateTime > 0 && s.PrioritizedPrimaryField != nil && len(s.PrimaryFields) == 1 {
		return f
	}
	return nil
}

// recordSeen records the version of a row that was read.
func recordSeen(tx *gorm.DB, row any) {
	if !seen.Reading(tx.Statement.Context) {
		return
	}
	stmt := &gorm.Statement{DB: tx}
	if stmt.Parse(row) != nil {
		return
	}
	if f := version(stmt.Schema); f != nil {
		value := reflect.ValueOf(row).Elem()
		key, _ := stmt.Schema.PrioritizedPrimaryField.ValueOf(tx.Statement.Context, value)
		at, _ := f.ValueOf(tx.Statement.Context, value)
		if at, ok := at.(time.Time); ok && reflect.TypeOf(key).Comparable() {
			seen.Note(tx.Statement.Context, seen.Row{Table: stmt.Schema.Table, Key: key}, at)
		}
	}
}

func (versionCheck) before(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.SQL.Len() > 0 {
		return
	}
	versions, f := seen.Of(s.Context, s.Table), version(s.Schema)
	if len(versions) == 0 || f == nil {
		return
	}
	if _, conditions := s.Clauses["WHERE"]; !conditions && !tx.AllowGlobalUpdate && !keyed(s) {
		return // GORM rejects it
	}
	for key, at := range versions {
		andWhere(tx, clause.Expr{SQL: "(? <> ? OR ? = ?)", Vars: []any{current(s.Schema.PrioritizedPrimaryField.DBName), key, current(f.DBName), at}})
	}
}

func (versionCheck) after(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.DryRun {
		return
	}
	versions, f := seen.Of(s.Context, s.Table), version(s.Schema)
	if len(versions) == 0 || f == nil {
		return
	}
	own := s.Schema.PrioritizedPrimaryField
	for key, at := range versions {
		if tx.RowsAffected > 0 {
			if row := s.ReflectValue; row.Kind() == reflect.Struct && row.Type() == s.Schema.ModelType {
				if value, zero := own.ValueOf(s.Context, row); !zero && value != key {
					continue // another row of the table
				}
			}
			seen.Written(s.Context, seen.Row{Table: s.Table, Key: key})
			continue
		}
		// Nothing was written: the row has changed, or for another reason.
		var n int64
		err := systemSession(tx).Model(reflect.New(s.Schema.ModelType).Interface()).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).
			Where(clause.Eq{Column: clause.PrimaryColumn, Value: key}, clause.Eq{Column: current(f.DBName), Value: at}).
			Select("1").Scan(&n).Error
		if err == nil && n == 0 {
			err = seen.Changed()
		}
		_ = tx.AddError(err)
	}
}
