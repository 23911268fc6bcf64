package db

import (
	"errors"
	"sync"

	"gorm.io/gorm"
)

// Reserve refuses values of a column that no row has but that are kept for one, such
// as an address that the owner of an account can still take back. The column is one
// that [UniqueNoCase] made unique, and the answer is that for a value another row has:
// a 409 fault.
//
// reserved is called with the folded forms (see [Fold]) that a statement of GORM has
// written, in its transaction, and reports whether one of them is kept for another
// row. A statement outside a transaction gets one. Raw SQL and migrations are not
// covered. The last call for a column counts; call it before the database is used.
func Reserve(gdb *gorm.DB, table, column string, reserved func(tx *gorm.DB, folded []string) (bool, error)) error {
	p, ok := gdb.Plugins["reservations"].(*reservations)
	if !ok {
		return errors.New("db: Reserve takes a database of db.Open")
	}
	p.known.Store(table, reservation{column, reserved})
	return nil
}

// reservation is what is kept of a table's column.
type reservation struct {
	column   string
	reserved func(*gorm.DB, []string) (bool, error)
}

// reservations is the GORM plugin of Reserve. It asks after the write: who takes a
// value at the moment at which another row gives it up has waited for that one at the
// unique index, and sees what is kept by then.
type reservations struct{ known sync.Map } // of reservation, by table

// Name implements gorm.Plugin.
func (*reservations) Name() string { return "reservations" }

// Initialize implements gorm.Plugin. It asks before anybody is told of the write, and
// commits after that.
func (p *reservations) Initialize(gdb *gorm.DB) error {
	create, update := gdb.Callback().Create(), gdb.Callback().Update()
	return errors.Join(
		create.Before("gorm:create").Register("reservations:before", p.before),
		create.After("gorm:create").Before("rules:end").Register("reservations:after", p.after),
		create.Before("conflicts").Register("reservations:end", p.end),
		update.Before("gorm:update").Register("reservations:before", p.before),
		update.After("gorm:update").Before("rules:end").Register("reservations:after", p.after),
		update.Before("conflicts").Register("reservations:end", p.end),
	)
}

// written is what a statement writes into a column of which values are kept.
type written struct {
	reservation
	forms []string
	own   *ownTransaction // nil in one of the caller's
}

const writtenKey = "db:written"

func (p *reservations) before(tx *gorm.DB) {
	s := tx.Statement
	known, ok := p.known.Load(s.Table)
	if !ok || tx.Error != nil || s.DryRun || s.SQL.Len() > 0 {
		return
	}
	own, ok := beginWatched(tx)
	if !ok {
		return
	}
	tx.InstanceSet(writtenKey, &written{reservation: known.(reservation), own: own})
}

// writes notes the folded form of what stmt writes into a column.
func writes(stmt *gorm.Statement, column string, form any) {
	value, ok := stmt.DB.InstanceGet(writtenKey)
	if !ok {
		return
	}
	if text, ok := form.(string); ok && value.(*written).column == column {
		w := value.(*written)
		w.forms = append(w.forms, text)
	}
}

func (p *reservations) after(tx *gorm.DB) {
	value, ok := tx.InstanceGet(writtenKey)
	if !ok || tx.Error != nil {
		return
	}
	w := value.(*written)
	if len(w.forms) == 0 {
		return
	}
	taken, err := w.reserved(afresh(tx), w.forms)
	if err == nil && taken {
		v := &violation{kind: unique, table: tx.Statement.Table, columns: []string{w.column}, resolved: true, cause: errors.New("the value is kept for another row")}
		err = v.fault(func(column string) string {
			if tx.Statement.Schema == nil {
				return column
			}
			return jsonName(tx.Statement.Schema, column)
		})
	}
	_ = tx.AddError(err)
}

func (p *reservations) end(tx *gorm.DB) {
	if value, ok := tx.InstanceGet(writtenKey); ok && value.(*written).own != nil {
		value.(*written).own.end(tx, tx.Error == nil)
	}
}
