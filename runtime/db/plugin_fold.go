package db

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Fold returns the form that texts have in common which differ only in case:
// Unicode's NFKC_Casefold. Upper and lower case, wide and narrow letters, composed
// and decomposed ones, and texts with and without invisible characters are equal;
// accents and spaces are significant.
func Fold(text string) string {
	if ascii(text) {
		return strings.ToLower(text)
	}
	text = strings.ToValidUTF8(text, "\ufffd")
	// Twice: some compatibility characters become capitals only in the first pass.
	for range 2 {
		text = norm.NFKC.String(cases.Fold().String(norm.NFD.String(text)))
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return r
	}, text))
}

// ignorable reports whether a character is invisible: joiners, directional marks,
// soft hyphens, variation selectors.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && (r < '\ufff9' || r > '\ufffb')
}

// foldedColumn returns the column with the folded form of a column, by which the
// column is unique, compared and sorted.
func foldedColumn(column string) string { return column + "_folded" }

// folding is the GORM plug-in that maintains folded forms: a statement that writes
// a column writes its folded column too. Which columns have one is read from the
// database; see [UniqueNoCase]. Raw SQL has to write both.
type folding struct{ known sync.Map } // of foldedTable, by table

// foldedTable is the cached state of a table.
type foldedTable struct {
	columns   map[string]bool // those that have a folded form
	checkedAt time.Time
}

// recheckAfter is how long a table without folded columns is cached: another process
// may migrate it in the meantime.
const recheckAfter = 5 * time.Second

// Name implements gorm.Plugin.
func (*folding) Name() string { return "folding" }

// Initialize implements gorm.Plugin.
func (p *folding) Initialize(gdb *gorm.DB) error {
	for name, add := range map[string]func(*gorm.Statement, map[string]bool, clause.Expression) clause.Expression{
		"VALUES": values, "SET": assignments,
	} {
		build := gdb.ClauseBuilders[name]
		if build == nil {
			build = func(c clause.Clause, b clause.Builder) { c.Build(b) }
		}
		gdb.ClauseBuilders[name] = func(c clause.Clause, b clause.Builder) {
			if stmt, ok := b.(*gorm.Statement); ok {
				if columns := p.columns(stmt); len(columns) > 0 {
					c.Expression = add(stmt, columns, c.Expression)
				}
			}
			build(c, b)
		}
	}
	return nil
}

// values adds folded forms to the rows of an INSERT, and to its ON CONFLICT clause.
func values(stmt *gorm.Statement, columns map[string]bool, expression clause.Expression) clause.Expression {
	v, ok := expression.(clause.Values)
	if !ok {
		return expression
	}
	for at, column := range v.Columns {
		if !columns[column.Name] {
			continue
		}
		v.Columns = append(slices.Clip(v.Columns), clause.Column{Name: foldedColumn(column.Name)})
		v.Values = slices.Clone(v.Values)
		for i, row := range v.Values {
			form, err := foldedValue(stmt, column.Name, row[at])
			if f := (*fault.Error)(nil); len(v.Values) > 1 && errors.As(err, &f) {
				err = At(i, err)
			}
			_ = stmt.AddError(err)
			v.Values[i] = append(slices.Clip(row), form)
		}
	}
	if c, ok := stmt.Clauses["ON CONFLICT"]; ok {
		if conflict, ok := c.Expression.(clause.OnConflict); ok && len(conflict.DoUpdates) > 0 {
			conflict.DoUpdates = assignments(stmt, columns, conflict.DoUpdates).(clause.Set)
			c.Expression = conflict
			stmt.Clauses["ON CONFLICT"] = c
		}
	}
	return v
}

// assignments adds folded forms to the SET clause of an UPDATE.
func assignments(stmt *gorm.Statement, columns map[string]bool, expression clause.Expression) clause.Expression {
	set, ok := expression.(clause.Set)
	if !ok {
		return expression
	}
	for _, a := range set {
		if !columns[a.Column.Name] {
			continue
		}
		form, err := foldedValue(stmt, a.Column.Name, a.Value)
		_ = stmt.AddError(err)
		set = append(slices.Clip(set), clause.Assignment{Column: clause.Column{Table: a.Column.Table, Name: foldedColumn(a.Column.Name)}, Value: form})
	}
	return set
}

// foldedForm returns the folded form of a value; ok is false for an SQL expression.
func foldedForm(value any) (form any, ok bool) {
	v := reflect.ValueOf(value)
	switch {
	case value == nil, v.Kind() == reflect.Pointer && v.IsNil():
		return nil, true
	case v.Kind() == reflect.Pointer:
		return foldedForm(v.Elem().Interface())
	}
	switch of := value.(type) {
	case clause.Column: // e.g. of the excluded row
		of.Name = foldedColumn(of.Name)
		return of, true
	case driver.Valuer:
		inner, err := of.Value()
		if err != nil {
			return nil, false
		}
		return foldedForm(inner)
	case []byte:
		return Fold(string(of)), true
	}
	if v.Kind() != reflect.String {
		return nil, false
	}
	return Fold(v.String()), true
}

// maxFolded is the maximum number of characters in a folded form: MySQL indexes
// 3,072 bytes, including the columns that scope a unique key. Lower case takes up
// to three characters for one, and more for the few that stand for a whole word.
const maxFolded = 765

// foldedValue returns the folded form of the value that a statement writes into a column.
func foldedValue(stmt *gorm.Statement, column string, value any) (any, error) {
	form, ok := foldedForm(value)
	recordFolded(stmt, column, form)
	if !ok {
		return nil, fmt.Errorf("%s.%s is kept with its folded form, which an expression does not have\n  try:   a text as the value", stmt.Table, column)
	}
	if text, ok := form.(string); ok && utf8.RuneCountInString(text) > maxFolded {
		name := column
		if stmt.Schema != nil {
			name = jsonName(stmt.Schema, column)
		}
		return nil, fault.Invalid(fault.Detail{Field: name, Rule: "max", Message: Humanize(column) + " is too long"})
	}
	return form, nil
}

// columns returns the columns of the statement's table that have a folded form, or
// nil if the model declares one of the folded columns itself.
func (p *folding) columns(stmt *gorm.Statement) map[string]bool {
	if stmt.Table == "" {
		return nil
	}
	var all map[string]bool
	if known, ok := p.known.Load(stmt.Table); ok && (len(known.(foldedTable).columns) > 0 || time.Since(known.(foldedTable).checkedAt) < recheckAfter) {
		all = known.(foldedTable).columns
	} else {
		var err error
		if all, err = foldedColumns(lookupSession(stmt), stmt.Table); err != nil {
			_ = stmt.AddError(err)
			return nil
		}
		p.known.Store(stmt.Table, foldedTable{all, time.Now()})
	}
	if stmt.Schema != nil {
		for column := range all {
			if stmt.Schema.FieldsByDBName[foldedColumn(column)] != nil {
				return nil
			}
		}
	}
	return all
}

// lookupSession returns a session for queries while stmt is built. It runs them even if
// stmt is a subquery, which GORM builds as a dry run.
func lookupSession(stmt *gorm.Statement) *gorm.DB {
	tx := stmt.DB.Session(&gorm.Session{NewDB: true, Context: System(stmt.Context)})
	tx.DryRun = false
	return tx
}

// folds reports whether the statement's table has a folded form of the column.
func folds(stmt *gorm.Statement, column string) bool {
	p, ok := stmt.Plugins["folding"].(*folding)
	if !ok {
		return false
	}
	return p.columns(stmt)[column]
}

// foldedColumns returns the columns of a table that have a folded form in the
// database.
func foldedColumns(tx *gorm.DB, table string) (map[string]bool, error) {
	var columns []struct{ Name, Type string }
	err := tx.Raw(map[string]string{
		"sqlite": "SELECT name, type FROM pragma_table_info(?)",
		"postgres": "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute " +
			"WHERE attrelid = to_regclass(quote_ident(?)) AND attnum > 0 AND NOT attisdropped",
		"mysql": "SELECT column_name AS name, column_type AS type FROM information_schema.columns WHERE table_schema = database() AND table_name = ?",
	}[tx.Name()], table).Scan(&columns).Error
	all := map[string]bool{}
	for _, c := range columns {
		if name, ok := strings.CutSuffix(c.Name, "_folded"); ok && (c.Type == "varchar(765)" || c.Type == "character varying(765)") {
			all[name] = true
		}
	}
	return all, err
}

// unfolded returns the column of a folded form, unless the model declares the
// folded column itself.
func unfolded(s *schema.Schema, column string) string {
	if base, ok := strings.CutSuffix(column, "_folded"); ok && s.FieldsByDBName[column] == nil && s.FieldsByDBName[base] != nil {
		return base
	}
	return column
}

// comparison is a condition that compares a column with a value, by their folded
// forms if the column has one.
type comparison struct {
	column, sign string
	value        any
}

// Build implements clause.Expression.
func (c comparison) Build(b clause.Builder) {
	column, value := c.column, precise(c.value)
	if stmt, ok := b.(*gorm.Statement); ok && folds(stmt, column) {
		value, _ = foldedForm(value)
		column = foldedColumn(column)
	}
	if c.sign == "=" {
		clause.Eq{Column: current(column), Value: value}.Build(b)
		return
	}
	clause.Expr{SQL: "? " + c.sign + " ?", Vars: []any{current(column), value}}.Build(b)
}

// WhereFold keeps the rows whose column equals value ignoring case, using the index
// of UniqueNoCase or UniqueFold.
func WhereFold(tx *gorm.DB, column, value string) *gorm.DB { return tx.Where(equalFold{column, value}) }

type equalFold struct {
	column string
	value  any
}

// Build implements clause.Expression.
func (e equalFold) Build(b clause.Builder) {
	stmt, ok := b.(*gorm.Statement)
	var plain clause.Expression = clause.Expr{SQL: "lower(?) = lower(?)", Vars: []any{current(e.column), e.value}}
	if ok && stmt.Name() == "mysql" {
		plain = clause.Eq{Column: current(e.column), Value: e.value}
	}
	if !ok || !folds(stmt, e.column) {
		plain.Build(b)
		return
	}
	// A program of an older version may have stored rows without folded forms.
	clause.Expr{SQL: "(? OR ? IS NULL AND ?)", Vars: []any{
		comparison{e.column, "=", e.value}, current(foldedColumn(e.column)), plain,
	}}.Build(b)
}
