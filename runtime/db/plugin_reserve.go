package db

import (
	"errors"
	"sync"

	"gorm.io/gorm"
)

// Reserve rejects values of a column that no row has but that are reserved for one,
// such as an address that the owner of an account can still restore. The column
// must be one of [UniqueNoCase], and the error is the same as for a value of
// another row: a 409 fault.
//
// reserved is called with the folded forms (see [Fold]) that a statement of GORM
// has written, in its transaction, and reports whether one of them is reserved for
// another row. A statement outside a transaction gets one. Raw SQL and migrations
// are not covered. The last call for a column wins; call it before the database is
// used.
func Reserve(gdb *gorm.DB, table, column string, reserved func(tx *gorm.DB, folded []string) (bool, error)) error {
	p, ok := gdb.Plugins["reservations"].(*reservations)
	if !ok {
		return errors.New("db: Reserve takes a database of db.Open")
	}
	p.known.Store(table, reservation{column, reserved})
	return nil
}

// reservation is the reserved column of a table.
type reservation struct {
	column   string
	reserved func(*gorm.DB, []string) (bool, error)
}

// reservations is the GORM plug-in of Reserve. It checks after the write: a
// transaction that takes a value just as another row gives it up has waited for
// that row at the unique index, and then sees what has been reserved in the
// meantime.
type reservations struct{ known sync.Map } // of reservation, by table

// Name implements gorm.Plugin.
func (*reservations) Name() string { return "reservations" }

// Initialize implements gorm.Plugin. The check runs before the plug-ins that report
// the write, the commit after them.
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

// reservedWrite collects what a statement writes into a column with reserved values.
type reservedWrite struct {
	reservation
	forms []string
	own   *ownTransaction // nil if the caller has begun one
}

const reservedWriteKey = "db:written"

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
	tx.InstanceSet(reservedWriteKey, &reservedWrite{reservation: known.(reservation), own: own})
}

// recordFolded records the folded form of a value that stmt writes into a column.
func recordFolded(stmt *gorm.Statement, column string, form any) {
	value, ok := stmt.DB.InstanceGet(reservedWriteKey)
	if !ok {
		return
	}
	if text, ok := form.(string); ok && value.(*reservedWrite).column == column {
		w := value.(*reservedWrite)
		w.forms = append(w.forms, text)
	}
}

func (p *reservations) after(tx *gorm.DB) {
	value, ok := tx.InstanceGet(reservedWriteKey)
	if !ok || tx.Error != nil {
		return
	}
	w := value.(*reservedWrite)
	if len(w.forms) == 0 {
		return
	}
	taken, err := w.reserved(systemSession(tx), w.forms)
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
	if value, ok := tx.InstanceGet(reservedWriteKey); ok && value.(*reservedWrite).own != nil {
		value.(*reservedWrite).own.end(tx, tx.Error == nil)
	}
}
