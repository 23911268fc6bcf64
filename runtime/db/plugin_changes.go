package db

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Change is a row that a statement has created, updated or deleted.
type Change struct {
	Table  string
	Key    string // its primary key; values of several columns are joined by commas
	Action string // create, update or delete; a soft delete is a delete
	// Model describes the columns. It is nil for a table without a known model; only
	// the key is set then.
	Model *schema.Schema
	// Before and After are structs of the model. Before is invalid for a create,
	// After for a delete; a soft delete has both.
	Before, After reflect.Value
}

// Watch calls note for every row that GORM writes: single rows and batches,
// associations and their join tables, foreign keys that cascade or set null, soft
// deletes, and writes on behalf of anyone. note runs in the transaction of the
// change; if it returns an error, the change fails. tables reports whether a table is
// watched.
//
// One statement may change at most 32,768 rows and 16 MiB of text, which are read
// before and after it. A larger one is a 409 fault and changes nothing.
//
// A statement outside a transaction gets one. Raw SQL (Raw, Exec, Table without
// Model) and migrations are not covered.
func Watch(gdb *gorm.DB, tables func(name string) bool, note func(tx *gorm.DB, changes []Change) error) error {
	return gdb.Use(&changes{tables, note})
}

// changes is the GORM plug-in of Watch. It reads the rows that a statement is about
// to write, and those affected through foreign keys, and reads them again
// afterwards: the differences are the changes.
type changes struct {
	tables func(string) bool
	note   func(*gorm.DB, []Change) error
}

// Name implements gorm.Plugin.
func (*changes) Name() string { return "changes" }

// Initialize implements gorm.Plugin. It runs last before a statement, when all
// conditions are set, and first after it, so that the plug-ins which explain a
// failure run after the rollback.
func (p *changes) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Create().Before("gorm:create").Register("changes:before", p.creating),
		gdb.Callback().Create().After("gorm:create").Before("rules:end").Register("changes:after", p.done),
		gdb.Callback().Update().Before("gorm:update").Register("changes:before", p.updating),
		gdb.Callback().Update().After("gorm:update").Before("rules:end").Register("changes:after", p.done),
		gdb.Callback().Delete().Before("deleting:before").Register("changes:before", p.deleting),
		gdb.Callback().Delete().After("deleting:after").Before("conflicts").Register("changes:after", p.done),
	)
}

// watched is the state of a statement while it runs.
type watched struct {
	own     *ownTransaction // nil if the caller has begun one
	sets    []*rowSet
	created bool
	size    int // total size of the rows in sets, in bytes
}

// A statement whose rows exceed maxWatchedSize is rejected. The size of a row is that
// of its text plus watchedRowSize, an estimate for the rest.
const (
	maxWatchedSize = 16 << 20
	watchedRowSize = 512
)

// addSize adds to the size of the rows that a statement changes.
func (w *watched) addSize(bytes int) error {
	if w.size += bytes; w.size > maxWatchedSize {
		return fault.Conflict("Too many rows would change at once: change or delete them in parts")
	}
	return nil
}

// rowSet holds rows of one table as they were before the statement.
type rowSet struct {
	table  string
	model  *schema.Schema // nil for a table without a known model
	keys   []string
	before map[string]reflect.Value
	values map[string][]any // of the primary key
	column string           // the column of values if there is no model
}

const watchedKey = "db:watched"

// begin starts a transaction if there is none; it returns nil for statements that
// are not watched.
func (p *changes) begin(tx *gorm.DB) *watched {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || !p.tables(s.Table) || s.DryRun || s.SQL.Len() > 0 {
		return nil
	}
	own, ok := beginWatched(tx)
	if !ok {
		return nil
	}
	w := &watched{own: own}
	tx.InstanceSet(watchedKey, w)
	return w
}

func (p *changes) creating(tx *gorm.DB) {
	s := tx.Statement
	w := p.begin(tx)
	if w == nil {
		return
	}
	w.created = true
	if _, upsert := s.Clauses["ON CONFLICT"]; upsert {
		set, err := p.read(tx, w, p.model(tx, s.Table), p.byPrimaryKey(tx))
		_ = tx.AddError(err)
		w.sets = append(w.sets, set)
	}
}

func (p *changes) updating(tx *gorm.DB) {
	s := tx.Statement
	if w := p.begin(tx); w != nil {
		set, err := p.read(tx, w, p.model(tx, s.Table), p.affected(tx))
		_ = tx.AddError(err)
		w.sets = append(w.sets, set)
	}
}

func (p *changes) deleting(tx *gorm.DB) {
	s := tx.Statement
	w := p.begin(tx)
	if w == nil {
		return
	}
	set, err := p.read(tx, w, p.model(tx, s.Table), p.affected(tx))
	if err == nil {
		w.sets = append(w.sets, set)
		err = p.follow(tx, w, set, !s.Unscoped && softly(s.Schema))
	}
	_ = tx.AddError(err)
}

// model returns the known model of a table: that of the statement, or one with more
// columns.
func (p *changes) model(tx *gorm.DB, table string) *schema.Schema {
	var own *schema.Schema
	if tx.Statement.Schema.Table == table {
		own = tx.Statement.Schema
	}
	if other := tx.Plugins["rules"].(*rules).model(tx.Statement.Schema, table); other != nil && (own == nil || len(other.DBNames) > len(own.DBNames)) {
		return other
	}
	return own
}

// affected returns the conditions of an update or a delete.
func (p *changes) affected(tx *gorm.DB) func(*gorm.DB) *gorm.DB {
	s := tx.Statement
	return func(query *gorm.DB) *gorm.DB {
		where, conditions := s.Clauses["WHERE"].Expression.(clause.Where)
		if conditions {
			query = query.Clauses(where)
		}
		keyed := false
		for _, v := range []reflect.Value{s.ReflectValue, reflect.ValueOf(s.Model)} {
			column, values := primaryKeys(s, v)
			if len(values) > 0 {
				query, keyed = query.Where(clause.IN{Column: column, Values: values}), true
				break
			}
		}
		if !conditions && !keyed && !tx.AllowGlobalUpdate {
			return query.Where("1 = 0") // GORM rejects it
		}
		if softly(s.Schema) && !s.Unscoped {
			query = query.Where("? IS NULL", clause.Column{Table: s.Table, Name: "deleted_at"})
		}
		return query
	}
}

// byPrimaryKey returns the condition for rows with the primary keys of those to be
// created.
func (p *changes) byPrimaryKey(tx *gorm.DB) func(*gorm.DB) *gorm.DB {
	column, values := primaryKeys(tx.Statement, tx.Statement.ReflectValue)
	return func(query *gorm.DB) *gorm.DB {
		if len(values) == 0 {
			return query.Where("1 = 0")
		}
		return query.Where(clause.IN{Column: column, Values: values})
	}
}

// primaryKeys returns the primary keys of the rows in v.
func primaryKeys(s *gorm.Statement, v reflect.Value) (column any, values []any) {
	v = reflect.Indirect(v)
	switch {
	case !v.IsValid(), len(s.Schema.PrimaryFields) == 0:
		return nil, nil
	case v.Kind() == reflect.Struct && v.Type() != s.Schema.ModelType:
		return nil, nil
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
		element := v.Type().Elem()
		if element.Kind() == reflect.Pointer {
			element = element.Elem()
		}
		if element != s.Schema.ModelType {
			return nil, nil
		}
	case v.Kind() != reflect.Struct:
		return nil, nil
	}
	_, keys := schema.GetIdentityFieldValuesMap(s.Context, v, s.Schema.PrimaryFields)
	return schema.ToQueryValues(clause.CurrentTable, s.Schema.PrimaryFieldDBNames, keys)
}

// read reads rows of a model and locks them until the transaction ends. It checks
// their size as they arrive, since the database may return more than fits in
// memory.
func (p *changes) read(tx *gorm.DB, w *watched, model *schema.Schema, which func(*gorm.DB) *gorm.DB) (_ *rowSet, err error) {
	set := &rowSet{table: model.Table, model: model, before: map[string]reflect.Value{}, values: map[string][]any{}}
	ctx := tx.Statement.Context
	query := systemSession(tx).Unscoped().Model(reflect.New(model.ModelType).Interface()).Table(model.Table)
	found, err := which(query).Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Rows()
	if err != nil {
		return set, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		row := reflect.New(model.ModelType)
		if err := query.ScanRows(found, row.Interface()); err != nil {
			return set, err
		}
		if err := tx.Plugins["exact"].(*exact).read(tx, model, row.Elem()); err != nil {
			return set, err
		}
		if err := w.addSize(watchedRowSize + textSize(ctx, model, row.Elem())); err != nil {
			return set, err
		}
		key, values := keyOf(ctx, model, row.Elem())
		set.keys, set.before[key], set.values[key] = append(set.keys, key), row.Elem(), values
	}
	return set, found.Err()
}

// textSize returns the size of the strings and byte slices of a row.
func textSize(ctx context.Context, model *schema.Schema, row reflect.Value) (length int) {
	for _, column := range model.DBNames {
		value := reflect.Indirect(model.FieldsByDBName[column].ReflectValueOf(ctx, row))
		if kind := value.Kind(); kind == reflect.String || kind == reflect.Slice {
			length += value.Len()
		}
	}
	return length
}

// keyOf returns the primary key of a row, as text and as its values.
func keyOf(ctx context.Context, model *schema.Schema, row reflect.Value) (key string, values []any) {
	var text []string
	for _, f := range model.PrimaryFields {
		value, _ := f.ValueOf(ctx, row)
		text, values = append(text, fmt.Sprint(value)), append(values, value)
	}
	return strings.Join(text, ","), values
}

// follow reads the rows that cascade or are set to null with those of set.
func (p *changes) follow(tx *gorm.DB, w *watched, set *rowSet, soft bool) error {
	if len(set.keys) == 0 {
		return nil
	}
	dependents, err := tx.Plugins["deleting"].(*deleting).dependents(tx, set.table)
	if err != nil {
		return err
	}
	for _, on := range dependents {
		if soft && on.Key || on.Rule == "RESTRICT" && !on.Soft && !on.Key || !p.tables(on.Owner) {
			continue
		}
		targets := set.columnValues(tx.Statement.Context, on.Target)
		for some := range slices.Chunk(targets, checkedAtOnce) {
			model := p.model(tx, on.Owner)
			if model == nil {
				if err := p.keysOnly(tx, w, on, some); err != nil {
					return err
				}
				continue
			}
			next, err := p.read(tx, w, model, func(query *gorm.DB) *gorm.DB {
				query = query.Where(clause.IN{Column: clause.Column{Table: on.Owner, Name: on.Column}, Values: some})
				if on.Rule == "RESTRICT" && !on.Key { // which restrict only once the row is deleted for good
					query = query.Where("deleted_at IS NOT NULL")
				}
				return query
			})
			if err != nil {
				return err
			}
			if next.dropKnown(w); len(next.keys) == 0 {
				continue
			}
			w.sets = append(w.sets, next)
			if on.Rule != "SET NULL" {
				if err := p.follow(tx, w, next, soft && on.Soft); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dropKnown removes the rows that are in another set already: several foreign keys may
// lead to a row, or form a cycle.
func (set *rowSet) dropKnown(w *watched) {
	set.keys = slices.DeleteFunc(set.keys, func(key string) bool {
		return slices.ContainsFunc(w.sets, func(other *rowSet) bool {
			_, there := other.before[key]
			return there && other.table == set.table
		})
	})
}

// columnValues returns the values of a column of the rows.
func (set *rowSet) columnValues(ctx context.Context, column string) (values []any) {
	if set.model == nil {
		if column == set.column {
			for _, key := range set.keys {
				values = append(values, set.values[key]...)
			}
		}
		return values
	}
	field := set.model.FieldsByDBName[column]
	if field == nil {
		return nil
	}
	for _, key := range set.keys {
		value, _ := field.ValueOf(ctx, set.before[key])
		if null, err := isNull(value); !null && err == nil {
			values = append(values, value)
		}
	}
	return values
}

// keysOnly adds the rows of a table without a known model, by the column id, or by
// the foreign key if there is no id.
func (p *changes) keysOnly(tx *gorm.DB, w *watched, on dependent, targets []any) error {
	column := "id"
	if on.Key || !tx.Migrator().HasColumn(on.Owner, column) {
		column = on.Column
	}
	set := &rowSet{table: on.Owner, column: column, before: map[string]reflect.Value{}, values: map[string][]any{}}
	found, err := query(tx, "SELECT ? FROM ? WHERE ? IN ?", clause.Column{Name: column}, clause.Table{Name: on.Owner}, clause.Column{Name: on.Column}, targets)
	for _, value := range found {
		if text, ok := value.([]byte); ok {
			value = string(text)
		}
		key := fmt.Sprint(value)
		if _, twice := set.values[key]; !twice {
			set.keys, set.before[key], set.values[key] = append(set.keys, key), reflect.Value{}, []any{value}
		}
	}
	if err == nil {
		err = w.addSize(len(found) * watchedRowSize)
	}
	if set.dropKnown(w); err != nil || len(set.keys) == 0 {
		return err
	}
	w.sets = append(w.sets, set)
	if on.Rule == "SET NULL" {
		return nil
	}
	return p.follow(tx, w, set, false)
}

// done reports the changes and ends the transaction of the statement.
func (p *changes) done(tx *gorm.DB) {
	value, ok := tx.InstanceGet(watchedKey)
	if !ok {
		return
	}
	w := value.(*watched)
	if tx.Error == nil {
		_ = tx.AddError(p.notify(tx, w))
	}
	if w.own != nil {
		w.own.end(tx, tx.Error == nil)
	}
}

func (p *changes) notify(tx *gorm.DB, w *watched) error {
	var all []Change
	for _, set := range w.sets {
		found, err := p.compare(tx, set)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if w.created {
		made, err := p.createdRows(tx, w)
		if err != nil {
			return err
		}
		all = append(all, made...)
	}
	if all = slices.DeleteFunc(all, func(c Change) bool { return !p.tables(c.Table) }); len(all) == 0 {
		return nil
	}
	return p.note(tx, all)
}

// compare reads the rows of a set again and returns their changes.
func (p *changes) compare(tx *gorm.DB, set *rowSet) (all []Change, err error) {
	if set.model == nil {
		left := map[string]bool{}
		for some := range slices.Chunk(set.keys, checkedAtOnce) {
			var values []any
			for _, key := range some {
				values = append(values, set.values[key]...)
			}
			found, err := query(tx, "SELECT ? FROM ? WHERE ? IN ?", clause.Column{Name: set.column}, clause.Table{Name: set.table}, clause.Column{Name: set.column}, values)
			if err != nil {
				return nil, err
			}
			for _, value := range found {
				if text, ok := value.([]byte); ok {
					value = string(text)
				}
				left[fmt.Sprint(value)] = true
			}
		}
		for _, key := range set.keys {
			action := "update" // the foreign key is null now
			if !left[key] {
				action = "delete"
			}
			all = append(all, Change{Table: set.table, Key: key, Action: action})
		}
		return all, nil
	}
	ctx := tx.Statement.Context
	for some := range slices.Chunk(set.keys, checkedAtOnce) {
		var values [][]any
		for _, key := range some {
			values = append(values, set.values[key])
		}
		column, in := schema.ToQueryValues(clause.CurrentTable, set.model.PrimaryFieldDBNames, values)
		now, err := p.read(tx, &watched{}, set.model, func(query *gorm.DB) *gorm.DB { return query.Where(clause.IN{Column: column, Values: in}) })
		if err != nil {
			return nil, err
		}
		for _, key := range some {
			c := Change{Table: set.table, Key: key, Action: "update", Model: set.model, Before: set.before[key], After: now.before[key]}
			switch {
			case !c.After.IsValid():
				c.Action = "delete"
			case len(Differ(ctx, c)) == 0:
				continue
			case deletedNow(ctx, c):
				c.Action = "delete"
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// deletedNow reports whether the statement soft-deleted the row.
func deletedNow(ctx context.Context, c Change) bool {
	field := c.Model.FieldsByDBName["deleted_at"]
	if field == nil || !softly(c.Model) {
		return false
	}
	_, zero := field.ValueOf(ctx, c.Before)
	_, still := field.ValueOf(ctx, c.After)
	return zero && !still
}

// Differ returns the columns whose values an update has changed, or the non-null
// columns of a create or a delete.
func Differ(ctx context.Context, c Change) (fields []*schema.Field) {
	for _, column := range c.Model.DBNames {
		field := c.Model.FieldsByDBName[column]
		var texts []string
		for _, row := range []reflect.Value{c.Before, c.After} {
			text := "null"
			if row.IsValid() {
				value, _ := field.ValueOf(ctx, row)
				if null, err := isNull(value); !null && err == nil {
					text = fmt.Sprintf("%q", fmt.Sprint(reflect.Indirect(reflect.ValueOf(value)).Interface()))
				}
			}
			texts = append(texts, text)
		}
		if texts[0] != texts[1] {
			fields = append(fields, field)
		}
	}
	return fields
}

// createdRows returns the created rows, as they were written. It skips the rows that an
// upsert found, which are in w.sets.
func (p *changes) createdRows(tx *gorm.DB, w *watched) (all []Change, err error) {
	s := tx.Statement
	model := s.Schema
	for _, row := range rows(s.ReflectValue) {
		if row.Type() != model.ModelType {
			continue
		}
		key, values := keyOf(s.Context, model, row)
		if len(w.sets) > 0 && slices.ContainsFunc(values, func(v any) bool { return reflect.ValueOf(v).IsZero() }) {
			continue // an upsert conflicted with another row and did nothing
		}
		if slices.ContainsFunc(w.sets, func(set *rowSet) bool { _, there := set.before[key]; return there }) {
			continue
		}
		copied := reflect.New(model.ModelType).Elem()
		copied.Set(row)
		all = append(all, Change{Table: s.Table, Key: key, Action: "create", Model: model, After: copied})
	}
	switch values := s.Dest.(type) {
	case map[string]any:
		all = append(all, p.fromMap(s, values))
	case *map[string]any:
		all = append(all, p.fromMap(s, *values))
	case []map[string]any:
		for _, one := range values {
			all = append(all, p.fromMap(s, one))
		}
	case *[]map[string]any:
		for _, one := range *values {
			all = append(all, p.fromMap(s, one))
		}
	}
	return all, nil
}

// fromMap returns the change for a row that was created from a map.
func (p *changes) fromMap(s *gorm.Statement, values map[string]any) Change {
	row := reflect.New(s.Schema.ModelType).Elem()
	for name, value := range values {
		if field := s.Schema.LookUpField(strings.TrimPrefix(name, "@")); field != nil {
			_ = field.Set(s.Context, row, value)
		}
	}
	key, _ := keyOf(s.Context, s.Schema, row)
	return Change{Table: s.Table, Key: key, Action: "create", Model: s.Schema, After: row}
}
