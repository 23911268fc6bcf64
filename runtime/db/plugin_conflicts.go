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

// conflicts is the GORM plugin that names, after a write was refused, the
// fields that the driver's error leaves unnamed. Nothing of it runs before.
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
		// GORM translates the errors of all statements but these.
		gdb.Callback().Row().After("gorm:row").Register("conflicts", func(tx *gorm.DB) {
			tx.Error = Translate(tx.Error)
		}),
	)
}

// explain completes the violation that tx ended with by what the model and,
// where the driver is silent, the database know.
func explain(tx *gorm.DB) {
	// PostgreSQL answers nothing more in a transaction that has failed.
	_, inside := tx.Statement.ConnPool.(gorm.TxCommitter)
	explainBy(tx, tx.Name() != "postgres" || !inside)
}

// explainBy is explain, which may ask the database or not.
func explainBy(tx *gorm.DB, mayAsk bool) {
	if tx.Error == nil {
		return
	}
	var v *violation
	var f *fault.Error
	s := tx.Statement.Schema
	if s == nil || !errors.As(tx.Error, &v) || v.resolved || !errors.As(tx.Error, &f) {
		return
	}
	// A statement of an association failed before this one, and was explained.
	v.resolved = true
	switch {
	case v.kind == unique || v.kind == check:
		if len(v.columns) == 0 {
			v.columns = constrained(s, v.constraint)
		}
		for i, column := range v.columns {
			v.columns[i] = unfolded(s, column)
		}
		// A column that only the database knows, such as the one that keeps
		// deleted rows out of a unique index, means nothing to a client.
		v.columns = slices.DeleteFunc(v.columns, func(column string) bool { return s.FieldsByDBName[column] == nil })
		if v.kind == unique {
			if tx.Name() == "sqlite" {
				v.columns = firstTaken(tx, s, v.columns)
			}
			v.index = repeated(tx, s, v.columns, mayAsk)
		}
		v.columns = told(s, v.columns)
	case v.kind == foreignKey && v.deleting && tx.Name() == "sqlite":
		v.table = referrer(tx, s)
	case v.kind == foreignKey && !v.deleting:
		if mayAsk {
			if column, index := dangling(tx, s, v.columns); column != "" {
				v.columns, v.index = []string{column}, index
			}
		}
		v.columns = told(s, v.columns)
		v.missing = refers(s, v.columns)
	}
	*f = *v.fault(func(column string) string { return jsonName(s, column) })
	if v.kind == foreignKey && v.deleting {
		column, keys := referring(tx, v.table, mayAsk)
		f.Message = stillUsed(tx, v.table, column, keys)
	}
}

// refers reports whether one of columns belongs to a relation that only the
// database checks: what is missing there is what the client named. Where the
// row was seen before the write, it has gone since; see [rules].
func refers(s *schema.Schema, columns []string) bool {
	for _, relation := range slices.Concat(s.Relationships.BelongsTo, s.Relationships.HasOne) {
		from, _ := ends(relation)
		if slices.ContainsFunc(from, func(f *schema.Field) bool { return slices.Contains(columns, f.DBName) }) {
			return !hides(relation.FieldSchema)
		}
	}
	return false
}

// ends are the columns of a relation by which a row of the model refers to one of
// another table, and those that it refers to; none where it does not. GORM takes two
// columns of one name that are keys of their tables for a row that has one of the
// other.
func ends(relation *schema.Relationship) (from, to []*schema.Field) {
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

// columnNames are the names of fields' columns.
func columnNames(fields []*schema.Field) []string {
	var names []string
	for _, field := range fields {
		names = append(names, field.DBName)
	}
	return names
}

// locate names, when a transaction is over that failed on one of rows, the row
// that it failed on.
func locate(tx *gorm.DB, rows any, v *violation, err error) {
	tx = afresh(tx).Model(rows)
	if tx.Statement.Parse(rows) != nil {
		return
	}
	tx.Statement.ReflectValue = reflect.ValueOf(rows).Elem()
	tx.Error, v.resolved = err, false
	explainBy(tx, true) // a transaction around it goes on from its savepoint
}

// told are the columns of a key that mean something to a client. One that is
// set when a row is made, and by no update, only says within what the others
// are unique, or refer to a row: organisation_id. So does the owner's, which no
// client names.
func told(s *schema.Schema, columns []string) []string {
	changing := slices.DeleteFunc(slices.Clone(columns), func(column string) bool {
		field := s.FieldsByDBName[column]
		return field != nil && (field.TagSettings["OWNER"] != "" || field.Creatable && !field.Updatable)
	})
	if len(changing) == 0 {
		return columns
	}
	return changing
}

// jsonName is the key that column has in JSON.
func jsonName(s *schema.Schema, column string) string {
	if field := s.FieldsByDBName[column]; field != nil {
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "" && key != "-" {
			return key
		}
	}
	return column
}

// constrained are the columns of an index or a check: as the model declares
// it, or by its name, <kind>_<table>_<column>[_<column>...].
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
	// MariaDB calls the check of one column "<table>.<column>" or "<column>".
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

// split cuts "slug_author_id" into the columns slug and author_id; nil when
// there is no way to.
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

// afresh is a session on the connection of tx that forgets how tx ended, and
// sees every row: what is in the way of a write may be another's.
func afresh(tx *gorm.DB) *gorm.DB {
	fresh := tx.Session(&gorm.Session{NewDB: true, SkipHooks: true, Context: System(tx.Statement.Context)})
	fresh.Error = nil
	return fresh
}

// reference is a foreign key: the columns From of the table Owner refer to To
// of Table.
type reference struct {
	Owner, Table string
	From, To     []string
}

// sqliteReferences are the foreign keys that SQLite knows, as the query selects
// them: one row a column, with its key's id.
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

// sqliteTarget is the column that a row of pragma_foreign_key_list refers to, which
// is of the key where none is named.
const sqliteTarget = "coalesce(f.`to`, (SELECT p.name FROM pragma_table_info(f.`table`) p WHERE p.pk = f.seq + 1))"

// references are the foreign keys of a table: as SQLite knows them, who does
// not say which was violated, and elsewhere as far as the model tells.
func references(tx *gorm.DB, s *schema.Schema) []reference {
	if tx.Name() == "sqlite" {
		all, _ := sqliteReferences(afresh(tx), "SELECT id, '' AS owner, `from`, `table`, "+sqliteTarget+" AS `to` FROM pragma_foreign_key_list(?) f", s.Table)
		return all
	}
	var all []reference
	for _, relation := range slices.Concat(s.Relationships.BelongsTo, s.Relationships.HasOne) {
		if from, to := ends(relation); len(from) > 0 {
			all = append(all, reference{Table: relation.FieldSchema.Table, From: columnNames(from), To: columnNames(to)})
		}
	}
	return all
}

// dangling is the first column (of columns, when some are given) of the rows
// to be written that refers to a row which does not exist, and of several rows
// which one it is in.
func dangling(tx *gorm.DB, s *schema.Schema, columns []string) (column string, index *int) {
	known := references(tx, s)
	for i, row := range rows(tx.Statement.ReflectValue) {
		for _, r := range known {
			last := r.From[len(r.From)-1]
			if len(columns) > 0 && !slices.Contains(columns, last) {
				continue
			}
			query := afresh(tx).Table(r.Table)
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
				return last, several(tx, i)
			}
		}
	}
	return "", nil
}

// firstTaken is the column of the oldest index that is in the way of a row, and
// columns when there is none before theirs. SQLite names the youngest one: of
// two equal users the e-mail address, where the others name the username.
func firstTaken(tx *gorm.DB, s *schema.Schema, columns []string) []string {
	row := tx.Statement.ReflectValue
	if row.Kind() != reflect.Struct || s.PrioritizedPrimaryField == nil {
		return columns
	}
	var indexes []struct{ Name, SQL string }
	afresh(tx).Raw("SELECT m.name, m.sql FROM pragma_index_list(?) l JOIN sqlite_master m ON m.name = l.name WHERE l.`unique` ORDER BY l.seq DESC", s.Table).Scan(&indexes)
	for _, index := range indexes {
		of := constrained(s, index.Name)
		if slices.Equal(of, columns) {
			break
		}
		one := told(s, of)
		if len(one) != 1 {
			continue
		}
		value, zero := s.FieldsByDBName[one[0]].ValueOf(tx.Statement.Context, row)
		if zero {
			continue // perhaps of an update that does not touch it
		}
		same := clause.Expression(compared{one[0], "=", value})
		if strings.Contains(index.SQL, "lower(") {
			same = equalFold{one[0], value}
		}
		own, _ := s.PrioritizedPrimaryField.ValueOf(tx.Statement.Context, row)
		query := afresh(tx).Model(reflect.New(s.ModelType).Interface()).Where(same).
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

// several is i when tx was about a slice of rows.
func several(tx *gorm.DB, i int) *int {
	if kind := tx.Statement.ReflectValue.Kind(); kind != reflect.Slice && kind != reflect.Array {
		return nil
	}
	return &i
}

// repeated is which of several rows has in columns what a row before it has,
// or one that is stored: the very same first, and then but for its case or one
// that was deleted, which an index may or may not mind.
func repeated(tx *gorm.DB, s *schema.Schema, columns []string, mayAsk bool) *int {
	all := rows(tx.Statement.ReflectValue)
	if len(columns) == 0 || several(tx, 0) == nil || slices.ContainsFunc(columns, func(column string) bool { return s.FieldsByDBName[column] == nil }) {
		return nil
	}
	// What tells rows apart best comes first: rows are looked for by that.
	telling := told(s, columns)
	columns = append(slices.Clone(telling), slices.DeleteFunc(slices.Clone(columns), func(column string) bool { return slices.Contains(telling, column) })...)
	for _, fold := range []func(string) string{strings.Clone, Fold} {
		keys, seen := make([]string, len(all)), map[string]bool{}
		for i, row := range all {
			if keys[i] = key(tx, s, columns, row, fold); keys[i] != "" && seen[keys[i]] {
				return several(tx, i)
			}
			seen[keys[i]] = true
		}
	}
	for _, lenient := range []bool{false, true} {
		if !mayAsk {
			break
		}
		first := columns[0]
		fold, same, query := strings.Clone, "? IN ?", afresh(tx)
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
			return several(tx, i)
		}
	}
	return nil
}

// key is what a row has in columns, in a form that is equal where fold makes it
// equal; "" where something is null, which equals nothing.
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

// rows are the structs of a statement's destination: one, or those of a slice.
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

// referring is the column by which rows of table refer to those to be deleted, and
// what these have there; "" where that is not to be found out.
func referring(tx *gorm.DB, table string, mayAsk bool) (column string, keys []any) {
	p, ok := tx.Plugins["deleting"].(*deleting)
	if !ok || !mayAsk {
		return "", nil
	}
	dependents, err := p.dependents(tx, tx.Statement.Table)
	for _, on := range dependents {
		if err != nil || on.Owner != table || on.Rule != "RESTRICT" {
			continue
		}
		if keys, err = condemned(tx, on.Target); err == nil && len(keys) > 0 {
			return on.Column, keys
		}
	}
	return "", nil
}

// referrer is the table that holds rows which refer to those to be deleted.
func referrer(tx *gorm.DB, s *schema.Schema) string {
	fresh := afresh(tx)
	references, err := sqliteReferences(fresh, "SELECT f.id, m.name AS owner, f.`from`, f.`table`, "+sqliteTarget+" AS `to` FROM sqlite_master m, pragma_foreign_key_list(m.name) f "+
		"WHERE m.type = 'table' AND f.`table` = ? COLLATE NOCASE AND f.on_delete IN ('NO ACTION', 'RESTRICT')", s.Table)
	where, ok := tx.Statement.Clauses["WHERE"].Expression.(clause.Where)
	if err != nil || !ok {
		return ""
	}
	for _, r := range references {
		last := len(r.From) - 1 // the rest only says within what
		gone := fresh.Unscoped().Model(reflect.New(s.ModelType).Interface()).Clauses(where).Select(r.To[last])
		var n int64
		if fresh.Table(r.Owner).Where("? IN (?)", clause.Column{Name: r.From[last]}, gone).Limit(1).Count(&n).Error == nil && n > 0 {
			return r.Owner
		}
	}
	return ""
}
