package db

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// UniqueNoCase makes the column of table unique whatever the case, for
// migrations: beside it a column <column>_folded keeps its folded form (see
// [Fold]), with an index named idx_<table>_<column>. [Where], [AtLeast],
// [AtMost], [List], [Search] and [WhereFold] then compare the column by that
// form, alike on every database. Rows that differ in a column of within, such as
// organisation_id, may have the same; the index is named
// idx_<table>_<within>_<column> then.
//
// Rows that are there and equal are an error that names them.
func UniqueNoCase(tx *gorm.DB, table, column string, within ...string) error {
	f := fold{tx, table, column, within}
	err := f.add()
	if err == nil {
		err = f.fill()
	}
	if err == nil {
		err = f.unique()
	}
	if err != nil && tx.Name() == "mysql" { // which keeps what was done so far
		_ = f.drop()
	}
	f.forget()
	return err
}

// Refold is a migration for a column that UniqueFold made unique, and UniqueNoCase
// makes now. It does nothing where that is done, or the table is gone.
func Refold(id, table, column string, within ...string) Migration {
	change := func(up bool) func(tx *gorm.DB) error {
		return func(tx *gorm.DB) error {
			if !tx.Migrator().HasTable(table) {
				return nil
			}
			there, err := foldedColumns(tx, table)
			if err != nil || there[column] == up {
				return err
			}
			if up {
				return UniqueNoCase(tx, table, column, within...)
			}
			if err := (fold{tx, table, column, within}).drop(); err != nil {
				return err
			}
			return UniqueFold(tx, table, column, within...)
		}
	}
	return Migration{ID: id, Up: change(true), Down: change(false)}
}

// fold is a column that is unique whatever the case.
type fold struct {
	tx            *gorm.DB
	table, column string
	within        []string
}

func (f fold) index() string { return foldIndex(f.table, f.column, f.within...) }

// forget has the plugin ask again which columns there are.
func (f fold) forget() {
	if p, ok := f.tx.Plugins["folding"].(*folding); ok {
		p.known.Delete(f.table)
	}
}

// add adds the column, which is null where the text is.
func (f fold) add() error {
	there, err := foldedColumns(f.tx, f.table)
	if err != nil {
		return err
	}
	if there[f.column] {
		return nil
	}
	kind, err := f.kind()
	if err != nil {
		return err
	}
	required, err := f.required()
	if err != nil {
		return err
	}
	var rows int
	if err := f.tx.Raw("SELECT count(*) FROM (SELECT 1 FROM ? LIMIT 1) AS first", clause.Table{Name: f.table}).Scan(&rows).Error; err != nil {
		return err
	}
	if required && rows == 0 { // or a program of an older version, which still runs, could store no row
		kind += " NOT NULL"
	}
	return f.tx.Exec("ALTER TABLE ? ADD ? "+kind, clause.Table{Name: f.table}, clause.Column{Name: foldedColumn(f.column)}).Error
}

// kind is the type of the column that keeps the folded form, which is compared
// by its characters.
func (f fold) kind() (string, error) {
	kind := fmt.Sprintf("varchar(%d)", foldedMost)
	switch f.tx.Name() {
	case "postgres":
		kind += ` COLLATE "C"`
	case "mysql":
		binary, _, err := collations(f.tx)
		return kind + " CHARACTER SET utf8mb4 COLLATE " + binary, err
	}
	return kind, nil
}

// required tells whether the column takes no null.
func (f fold) required() (is bool, err error) {
	found := f.tx.Raw(map[string]string{
		"sqlite":   "SELECT `notnull` FROM pragma_table_info(?) WHERE name = ?",
		"postgres": "SELECT attnotnull FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(?)) AND attname = ?",
		"mysql":    "SELECT is_nullable = 'NO' FROM information_schema.columns WHERE table_schema = database() AND table_name = ? AND column_name = ?",
	}[f.tx.Name()], f.table, f.column).Scan(&is)
	if found.Error == nil && found.RowsAffected == 0 {
		return is, fmt.Errorf("the table %s has no column %s", f.table, f.column)
	}
	return is, found.Error
}

// key are the columns by which rows are told apart.
func (f fold) key() ([]string, error) {
	var columns []string
	err := f.tx.Raw(map[string]string{
		"sqlite": "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk",
		"postgres": "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (attnum, n) " +
			"JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indisprimary AND i.indrelid = to_regclass(quote_ident(?)) ORDER BY k.n",
		"mysql": "SELECT column_name FROM information_schema.key_column_usage WHERE table_schema = database() AND table_name = ? " +
			"AND constraint_name = 'PRIMARY' ORDER BY ordinal_position",
	}[f.tx.Name()], f.table).Scan(&columns).Error
	if len(columns) == 0 {
		columns = []string{f.column}
	}
	return columns, err
}

// some rows are read at once.
const some = 1000

// fill gives the rows that are there their folded forms.
func (f fold) fill() error {
	key, err := f.key()
	if err != nil {
		return err
	}
	var columns []any
	for _, name := range key {
		columns = append(columns, clause.Column{Name: name})
	}
	marks := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(key)), ", ") + ")"
	table, order := clause.Table{Name: f.table}, strings.Trim(marks, "()")
	for last := []any(nil); ; {
		query, vars := "SELECT "+order+", ? FROM ?", append(slices.Clone(columns), clause.Column{Name: f.column}, table)
		if last != nil {
			query, vars = query+" WHERE "+marks+" > "+marks, append(append(vars, columns...), last...)
		}
		rows, err := records(f.tx.Raw(query+" ORDER BY "+order+" LIMIT "+strconv.Itoa(some), append(vars, columns...)...))
		if err != nil {
			return err
		}
		for _, row := range rows {
			text, ok := row[len(key)].(string)
			if last = row[:len(key)]; !ok {
				continue
			}
			vars := []any{table, clause.Column{Name: foldedColumn(f.column)}, Fold(text)}
			for i, column := range columns {
				vars = append(vars, column, last[i])
			}
			if err := f.tx.Exec("UPDATE ? SET ? = ? WHERE "+strings.TrimSuffix(strings.Repeat("? = ? AND ", len(key)), " AND "), vars...).Error; err != nil {
				return fmt.Errorf("%s of %s: %q: %w", f.column, f.table, text, err)
			}
		}
		if len(rows) < some {
			return nil
		}
	}
}

// unique makes the index, in place of one that is there, and sees first that no
// rows are in its way.
func (f fold) unique() error {
	if err := f.distinct(); err != nil {
		return err
	}
	if err := f.unindex(); err != nil {
		return err
	}
	return uniqueIndex(f.tx, "?", f.table, foldedColumn(f.column), f.index(), f.within...)
}

func (f fold) unindex() error {
	m := f.tx.Migrator()
	if !m.HasIndex(f.table, f.index()) {
		return nil
	}
	return m.DropIndex(f.table, f.index())
}

// distinct is an error that names rows which are equal.
func (f fold) distinct() error {
	table, form, text := clause.Table{Name: f.table}, clause.Column{Name: foldedColumn(f.column)}, clause.Column{Name: f.column}
	list, same := "?", ""
	groups := []any{form}
	for _, name := range f.within {
		list += ", ?"
		same += " AND ? = ?"
		groups = append(groups, clause.Column{Name: name})
	}
	equal, err := records(f.tx.Raw("SELECT "+list+" FROM ? WHERE ? IS NOT NULL GROUP BY "+list+" HAVING count(*) > 1 ORDER BY "+list+" LIMIT 11",
		slices.Concat(groups, []any{table, form}, groups, groups)...))
	if err != nil || len(equal) == 0 {
		return err
	}
	key, err := f.key()
	if err != nil {
		return err
	}
	var lines []string
	for _, group := range equal[:min(len(equal), 10)] {
		vars := []any{text, clause.Column{Name: key[len(key)-1]}, table, form, group[0]}
		for i, value := range group[1:] {
			vars = append(vars, groups[i+1], value)
		}
		rows, err := records(f.tx.Raw("SELECT ?, ? FROM ? WHERE ? = ?"+same+" ORDER BY 2 LIMIT 5", vars...))
		if err != nil {
			return err
		}
		var words []string
		for _, row := range rows {
			words = append(words, fmt.Sprintf("%q (%s %v)", row[0], key[len(key)-1], row[1]))
		}
		lines = append(lines, strings.Join(words, " = "))
	}
	if len(equal) > 10 {
		lines = append(lines, "and more")
	}
	return fmt.Errorf("%s has rows whose %s is equal whatever the case\n  where: %s\n  try:   change or merge all but one of each, then migrate again",
		f.table, f.column, strings.Join(lines, "\n         "))
}

// drop takes the folded form and the index away.
func (f fold) drop() error {
	there, err := foldedColumns(f.tx, f.table)
	if err != nil || !there[f.column] {
		return err
	}
	f.forget()
	if err := f.unindex(); err != nil {
		return err
	}
	return f.tx.Exec("ALTER TABLE ? DROP COLUMN ?", clause.Table{Name: f.table}, clause.Column{Name: foldedColumn(f.column)}).Error
}

// records reads the rows of a statement.
func records(tx *gorm.DB) (all [][]any, err error) {
	found, err := tx.Rows()
	if err != nil {
		return nil, err
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		return nil, err
	}
	for found.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		for i := range row {
			if text, ok := row[i].([]byte); ok {
				row[i] = string(text)
			}
		}
		all = append(all, row)
	}
	return all, found.Err()
}
