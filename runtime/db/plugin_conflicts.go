package db

import (
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

// conflicts is the GORM plug-in that finds the fields of a failed write that the
// driver's error does not name. It does nothing before a failure.
type conflicts struct{}

// Name implements gorm.Plugin.
func (conflicts) Name() string { return "conflicts" }

// Initialize implements gorm.Plugin.
func (conflicts) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Create().After("gorm:create").Register("conflicts", explain),
		gdb.Callback().Update().After("gorm:update").Register("conflicts", explain),
		gdb.Callback().Delete().After("gorm:delete").Register("conflicts", func(tx *gorm.DB) {
			if v := (*violation)(nil); errors.As(tx.Error, &v) && v.kind == foreignKey && !v.resolved {
				v.deleting = true
			}
			explain(tx)
		}),
		// GORM translates the errors of all other statements.
		gdb.Callback().Row().After("gorm:row").Register("conflicts", func(tx *gorm.DB) {
			tx.Error = Translate(tx.Error)
		}),
	)
}

// explain completes the violation of tx from the model and, where the driver's
// error says too little, from the database.
func explain(tx *gorm.DB) {
	// PostgreSQL runs no statement in a failed transaction.
	_, inside := tx.Statement.ConnPool.(gorm.TxCommitter)
	explainWith(tx, tx.Name() != "postgres" || !inside)
}

// explainWith is explain; mayQuery reports whether it may query the database.
func explainWith(tx *gorm.DB, mayQuery bool) {
	if tx.Error == nil {
		return
	}
	var v *violation
	var f *fault.Error
	s := tx.Statement.Schema
	if s == nil || !errors.As(tx.Error, &v) || v.resolved || !errors.As(tx.Error, &f) {
		return
	}
	// A violation that is resolved comes from an association, whose statement
	// failed first.
	v.resolved = true
	switch {
	case v.kind == unique || v.kind == check:
		if len(v.columns) == 0 {
			v.columns = constrained(s, v.constraint)
		}
		for i, column := range v.columns {
			v.columns[i] = unfolded(s, column)
		}
		// Columns that are not in the model, such as the one that excludes deleted
		// rows from a unique index, mean nothing to a client.
		v.columns = slices.DeleteFunc(v.columns, func(column string) bool { return s.FieldsByDBName[column] == nil })
		if v.kind == unique {
			if tx.Name() == "sqlite" {
				v.columns = firstConflict(tx, s, v.columns)
			}
			v.index = duplicateIndex(tx, s, v.columns, mayQuery)
		}
		v.columns = clientColumns(s, v.columns)
	case v.kind == foreignKey && v.deleting && tx.Name() == "sqlite":
		v.table = referencingTable(tx, s)
	case v.kind == foreignKey && !v.deleting:
		if mayQuery {
			if column, index := missingReference(tx, s, v.columns); column != "" {
				v.columns, v.index = []string{column}, index
			}
		}
		v.columns = clientColumns(s, v.columns)
		v.missing = databaseOnly(s, v.columns)
	}
	*f = *v.fault(func(column string) string { return jsonName(s, column) })
	if v.kind == foreignKey && v.deleting {
		column, keys := referencingColumn(tx, v.table, mayQuery)
		f.Message = stillUsed(tx, v.table, column, keys)
	}
}

// databaseOnly reports whether one of columns belongs to a relation that only the
// database checks, so that the client referenced a missing row. Where rules checked
// the row before the write, it was deleted in the meantime; see [rules].
func databaseOnly(s *schema.Schema, columns []string) bool {
	for _, relation := range slices.Concat(s.Relationships.BelongsTo, s.Relationships.HasOne) {
		from, _ := relationColumns(relation)
		if slices.ContainsFunc(from, func(f *schema.Field) bool { return slices.Contains(columns, f.DBName) }) {
			return !hidesRows(relation.FieldSchema)
		}
	}
	return false
}

// relationColumns returns the columns of a relation by which a row of the model references
// another table, and the referenced ones; none if the reference is in the other
// direction. GORM takes two primary keys of the same name for a has-one relation.
func relationColumns(relation *schema.Relationship) (from, to []*schema.Field) {
	for _, r := range relation.References {
		switch {
		case relation.Type == schema.BelongsTo:
			from, to = append(from, r.ForeignKey), append(to, r.PrimaryKey)
		case r.OwnPrimaryKey && r.ForeignKey.PrimaryKey && r.ForeignKey.DBName == r.PrimaryKey.DBName:
			from, to = append(from, r.PrimaryKey), append(to, r.ForeignKey)
		}
	}
	return from, to
}

// columnNames returns the column names of fields.
func columnNames(fields []*schema.Field) []string {
	var names []string
	for _, field := range fields {
		names = append(names, field.DBName)
	}
	return names
}

// locate finds, after the end of a failed transaction, which of rows it failed on.
func locate(tx *gorm.DB, rows any, v *violation, err error) {
	tx = systemSession(tx).Model(rows)
	if tx.Statement.Parse(rows) != nil {
		return
	}
	tx.Statement.ReflectValue = reflect.ValueOf(rows).Elem()
	tx.Error, v.resolved = err, false
	explainWith(tx, true) // an outer transaction is usable again, after its savepoint
}

// clientColumns returns the columns of a key that are meaningful to clients. It leaves out
// those that are set on create and never updated, such as organisation_id, which
// only scope a unique key or a reference, and that of the owner, which clients do
// not send.
func clientColumns(s *schema.Schema, columns []string) []string {
	changing := slices.DeleteFunc(slices.Clone(columns), func(column string) bool {
		field := s.FieldsByDBName[column]
		return field != nil && (field.TagSettings["OWNER"] != "" || field.Creatable && !field.Updatable)
	})
	if len(changing) == 0 {
		return columns
	}
	return changing
}

// jsonName returns the JSON key of column.
func jsonName(s *schema.Schema, column string) string {
	if field := s.FieldsByDBName[column]; field != nil {
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "" && key != "-" {
			return key
		}
	}
	return column
}

// constrained returns the columns of an index or a check: as the model declares it,
// or from its name, <kind>_<table>_<column>[_<column>...].
func constrained(s *schema.Schema, name string) []string {
	if strings.EqualFold(name, "PRIMARY") {
		return s.PrimaryFieldDBNames
	}
	if index := s.LookIndex(name); index != nil {
		var columns []string
		for _, field := range index.Fields {
			columns = append(columns, field.DBName)
		}
		return columns
	}
	// MariaDB names the check of a single column "<table>.<column>" or "<column>".
	name = strings.TrimPrefix(name, s.Table+".")
	if s.FieldsByDBName[name] != nil {
		return []string{name}
	}
	_, rest, ok := strings.Cut(name, "_"+s.Table+"_")
	if !ok {
		return nil
	}
	return split(s, rest)
}

// split splits "slug_author_id" into the columns slug and author_id; nil if it
// cannot.
func split(s *schema.Schema, names string) []string {
	if s.FieldsByDBName[names] != nil {
		return []string{names}
	}
	for i, r := range names {
		if r != '_' || s.FieldsByDBName[names[:i]] == nil {
			continue
		}
		if rest := split(s, names[i+1:]); rest != nil {
			return append([]string{names[:i]}, rest...)
		}
	}
	return nil
}

// systemSession returns a session on the connection of tx without its error, which sees
// every row: the row that a write conflicts with may belong to another user.
func systemSession(tx *gorm.DB) *gorm.DB {
	fresh := tx.Session(&gorm.Session{NewDB: true, SkipHooks: true, Context: System(tx.Statement.Context)})
	fresh.Error = nil
	return fresh
}

// reference is a foreign key: the columns From of the table Owner reference To of
// Table.
type reference struct {
	Owner, Table string
	From, To     []string
}

// sqliteReferences returns the foreign keys that query selects on SQLite: one row
// for each column, with the id of its key.
func sqliteReferences(tx *gorm.DB, query string, vars ...any) ([]reference, error) {
	var columns []struct {
		ID                     int
		Owner, From, Table, To string
	}
	err := tx.Raw(query+" ORDER BY owner, id, seq", vars...).Scan(&columns).Error
	var all []reference
	for i, c := range columns {
		if i == 0 || columns[i-1].Owner != c.Owner || columns[i-1].ID != c.ID {
			all = append(all, reference{Owner: c.Owner, Table: c.Table})
		}
		last := &all[len(all)-1]
		last.From, last.To = append(last.From, c.From), append(last.To, c.To)
	}
	return all, err
}

// sqliteTarget is the referenced column of a row of pragma_foreign_key_list: that
// of the primary key if none is named.
const sqliteTarget = "coalesce(f.`to`, (SELECT p.name FROM pragma_table_info(f.`table`) p WHERE p.pk = f.seq + 1))"

// references returns the foreign keys of a table: from the database on SQLite,
// which does not report which one was violated, and from the model elsewhere.
func references(tx *gorm.DB, s *schema.Schema) []reference {
	if tx.Name() == "sqlite" {
		all, _ := sqliteReferences(systemSession(tx), "SELECT id, '' AS owner, `from`, `table`, "+sqliteTarget+" AS `to` FROM pragma_foreign_key_list(?) f", s.Table)
		return all
	}
	var all []reference
	for _, relation := range slices.Concat(s.Relationships.BelongsTo, s.Relationships.HasOne) {
		if from, to := relationColumns(relation); len(from) > 0 {
			all = append(all, reference{Table: relation.FieldSchema.Table, From: columnNames(from), To: columnNames(to)})
		}
	}
	return all
}

// missingReference returns the first column (of columns, unless it is empty) of the rows to
// be written that references a missing row, and the index of its row in a batch.
func missingReference(tx *gorm.DB, s *schema.Schema, columns []string) (column string, index *int) {
	known := references(tx, s)
	for i, row := range rows(tx.Statement.ReflectValue) {
		for _, r := range known {
			last := r.From[len(r.From)-1]
			if len(columns) > 0 && !slices.Contains(columns, last) {
				continue
			}
			query := systemSession(tx).Table(r.Table)
			complete := true
			for j, from := range r.From {
				field := s.FieldsByDBName[from]
				if field == nil {
					complete = false
					break
				}
				value, _ := field.ValueOf(tx.Statement.Context, row)
				if null, err := isNull(value); null || err != nil {
					complete = false
					break
				}
				query = query.Where(clause.Eq{Column: clause.Column{Name: r.To[j]}, Value: value})
			}
			var n int64
			if complete && query.Limit(1).Count(&n).Error == nil && n == 0 {
				return last, batchIndex(tx, i)
			}
		}
	}
	return "", nil
}

// firstConflict returns the columns of the oldest index that a row conflicts with, or
// columns if there is none before theirs. SQLite reports the youngest: the e-mail
// address for a duplicate user, where the other databases report the username.
func firstConflict(tx *gorm.DB, s *schema.Schema, columns []string) []string {
	row := tx.Statement.ReflectValue
	if row.Kind() != reflect.Struct || s.PrioritizedPrimaryField == nil {
		return columns
	}
	var indexes []struct{ Name, SQL string }
	systemSession(tx).Raw("SELECT m.name, m.sql FROM pragma_index_list(?) l JOIN sqlite_master m ON m.name = l.name WHERE l.`unique` ORDER BY l.seq DESC", s.Table).Scan(&indexes)
	for _, index := range indexes {
		of := constrained(s, index.Name)
		if slices.Equal(of, columns) {
			break
		}
		one := clientColumns(s, of)
		if len(one) != 1 {
			continue
		}
		value, zero := s.FieldsByDBName[one[0]].ValueOf(tx.Statement.Context, row)
		if zero {
			continue // perhaps of an update that does not set it
		}
		same := clause.Expression(comparison{one[0], "=", value})
		if strings.Contains(index.SQL, "lower(") {
			same = equalFold{one[0], value}
		}
		own, _ := s.PrioritizedPrimaryField.ValueOf(tx.Statement.Context, row)
		query := systemSession(tx).Model(reflect.New(s.ModelType).Interface()).Where(same).
			Not(clause.Eq{Column: clause.PrimaryColumn, Value: own})
		for _, within := range of {
			if within != one[0] {
				value, _ := s.FieldsByDBName[within].ValueOf(tx.Statement.Context, row)
				query = query.Where(clause.Eq{Column: clause.Column{Name: within}, Value: value})
			}
		}
		var n int64
		err := query.Limit(1).Count(&n).Error
		if err == nil && n > 0 {
			return of
		}
	}
	return columns
}

// batchIndex returns &i if tx writes a slice of rows.
func batchIndex(tx *gorm.DB, i int) *int {
	if kind := tx.Statement.ReflectValue.Kind(); kind != reflect.Slice && kind != reflect.Array {
		return nil
	}
	return &i
}

// duplicateIndex returns the index of the row in a batch that duplicates in columns an
// earlier row or a stored one. It looks for exact duplicates first, then for those
// that differ in case or are deleted, which depend on the index.
func duplicateIndex(tx *gorm.DB, s *schema.Schema, columns []string, mayQuery bool) *int {
	all := rows(tx.Statement.ReflectValue)
	if len(columns) == 0 || batchIndex(tx, 0) == nil || slices.ContainsFunc(columns, func(column string) bool { return s.FieldsByDBName[column] == nil }) {
		return nil
	}
	// The most distinctive columns come first: rows are looked up by the first.
	distinctive := clientColumns(s, columns)
	columns = append(slices.Clone(distinctive), slices.DeleteFunc(slices.Clone(columns), func(column string) bool { return slices.Contains(distinctive, column) })...)
	for _, fold := range []func(string) string{strings.Clone, Fold} {
		keys, seen := make([]string, len(all)), map[string]bool{}
		for i, row := range all {
			if keys[i] = key(tx, s, columns, row, fold); keys[i] != "" && seen[keys[i]] {
				return batchIndex(tx, i)
			}
			seen[keys[i]] = true
		}
	}
	for _, lenient := range []bool{false, true} {
		if !mayQuery {
			break
		}
		first := columns[0]
		fold, same, query := strings.Clone, "? IN ?", systemSession(tx)
		if text := s.FieldsByDBName[first].DataType == schema.String; lenient && text && folds(tx.Statement, first) {
			fold, first = Fold, foldedColumn(first)
		} else if lenient && text {
			fold, same = strings.ToLower, "lower(?) IN ?"
		}
		if lenient {
			query = query.Unscoped()
		}
		var wanted []any
		for _, row := range all {
			value, _ := s.FieldsByDBName[columns[0]].ValueOf(tx.Statement.Context, row)
			if text, ok := value.(string); ok {
				value = fold(text)
			}
			wanted = append(wanted, value)
		}
		stored := reflect.New(reflect.SliceOf(s.ModelType))
		query = query.Model(reflect.New(s.ModelType).Interface()).Select(columns).Where(same, clause.Column{Name: first}, wanted)
		if query.Find(stored.Interface()).Error != nil {
			return nil
		}
		taken := map[string]bool{}
		for _, row := range rows(stored.Elem()) {
			taken[key(tx, s, columns, row, fold)] = true
		}
		if i := slices.IndexFunc(all, func(row reflect.Value) bool { return taken[key(tx, s, columns, row, fold)] }); i >= 0 {
			return batchIndex(tx, i)
		}
	}
	return nil
}

// key returns the values of a row in columns in a form that is equal if fold makes
// them equal; "" if one is null, which equals nothing.
func key(tx *gorm.DB, s *schema.Schema, columns []string, row reflect.Value, fold func(string) string) string {
	var k strings.Builder
	for _, column := range columns {
		value, _ := s.FieldsByDBName[column].ValueOf(tx.Statement.Context, row)
		if null, err := isNull(value); null || err != nil {
			return ""
		}
		if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer {
			value = v.Elem().Interface()
		}
		fmt.Fprintf(&k, "%q", fold(fmt.Sprint(value)))
	}
	return k.String()
}

// rows returns the structs of a statement's destination: one, or those of a slice.
func rows(v reflect.Value) []reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		return []reflect.Value{v}
	case reflect.Slice, reflect.Array:
		var all []reflect.Value
		for i := range v.Len() {
			all = append(all, reflect.Indirect(v.Index(i)))
		}
		return all
	}
	return nil
}

// referencingColumn returns the column by which rows of table reference those to be
// deleted, and the referenced values; "" if it cannot be determined.
func referencingColumn(tx *gorm.DB, table string, mayQuery bool) (column string, keys []any) {
	p, ok := tx.Plugins["deleting"].(*deleting)
	if !ok || !mayQuery {
		return "", nil
	}
	dependents, err := p.dependents(tx, tx.Statement.Table)
	for _, on := range dependents {
		if err != nil || on.Owner != table || on.Rule != "RESTRICT" {
			continue
		}
		if keys, err = valuesToDelete(tx, on.Target); err == nil && len(keys) > 0 {
			return on.Column, keys
		}
	}
	return "", nil
}

// referencingTable returns the table with rows that reference those to be deleted.
func referencingTable(tx *gorm.DB, s *schema.Schema) string {
	fresh := systemSession(tx)
	references, err := sqliteReferences(fresh, "SELECT f.id, m.name AS owner, f.`from`, f.`table`, "+sqliteTarget+" AS `to` FROM sqlite_master m, pragma_foreign_key_list(m.name) f "+
		"WHERE m.type = 'table' AND f.`table` = ? COLLATE NOCASE AND f.on_delete IN ('NO ACTION', 'RESTRICT')", s.Table)
	where, ok := tx.Statement.Clauses["WHERE"].Expression.(clause.Where)
	if err != nil || !ok {
		return ""
	}
	for _, r := range references {
		last := len(r.From) - 1 // the other columns only scope it
		gone := fresh.Unscoped().Model(reflect.New(s.ModelType).Interface()).Clauses(where).Select(r.To[last])
		var n int64
		if fresh.Table(r.Owner).Where("? IN (?)", clause.Column{Name: r.From[last]}, gone).Limit(1).Count(&n).Error == nil && n > 0 {
			return r.Owner
		}
	}
	return ""
}
