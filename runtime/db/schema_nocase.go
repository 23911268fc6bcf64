package db

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// UniqueNoCase makes the column of table unique ignoring case, for migrations: a
// column <column>_folded stores its folded form (see [Fold]), with an index named
// idx_<table>_<column>. [Where], [AtLeast], [AtMost], [List], [Search] and
// [WhereFold] then compare the column by that form, identically on every database.
// Rows that differ in a column of within, such as organisation_id, may have the
// same value; the index is then named idx_<table>_<within>_<column>. With
// not_deleted in within, which is null in soft-deleted rows, those do not count;
// the name omits it.
//
// Existing rows that are equal are an error that names them.
func UniqueNoCase(tx *gorm.DB, table, column string, within ...string) error {
	return fold{tx: tx, table: table, column: column, within: within}.apply()
}

// NoCase makes comparisons with the column of table ignore case, for migrations, as
// UniqueNoCase does, but without making it unique.
func NoCase(tx *gorm.DB, table, column string) error {
	return fold{tx: tx, table: table, column: column, plain: true}.apply()
}

// Refold returns a migration from UniqueFold to UniqueNoCase for a column. It does
// nothing if that is done already, or if the table does not exist.
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
			if err := (fold{tx: tx, table: table, column: column, within: within}).drop(); err != nil {
				return err
			}
			return UniqueFold(tx, table, column, within...)
		}
	}
	return Migration{ID: id, Up: change(true), Down: change(false)}
}

// fold is a column that is compared ignoring case.
type fold struct {
	tx            *gorm.DB
	table, column string
	within        []string
	plain         bool // not unique
	missing       bool // fill only rows without a folded form
}

// apply adds the folded column and its index.
func (f fold) apply() error {
	err := f.add()
	if err == nil {
		err = f.fill()
	}
	if err == nil {
		err = f.reindex()
	}
	if err != nil && (f.tx.Name() == "mysql" || online(f.tx)) { // these keep what was done so far
		_ = f.drop()
	}
	f.invalidate()
	return err
}

func (f fold) index() string { return foldIndex(f.table, f.column, f.within...) }

// invalidate makes the plug-in read the folded columns of the table again.
func (f fold) invalidate() {
	if p, ok := f.tx.Plugins["folding"].(*folding); ok {
		p.known.Delete(f.table)
	}
}

// add adds the folded column, which is null where the text is.
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
	if required && rows == 0 { // otherwise a program of an older version, which still runs, could not insert rows
		kind += " NOT NULL"
	}
	return run(f.tx, "ALTER TABLE ? ADD ? "+kind, clause.Table{Name: f.table}, clause.Column{Name: foldedColumn(f.column)})
}

// kind returns the type of the folded column, which is compared by its characters.
func (f fold) kind() (string, error) {
	kind := fmt.Sprintf("varchar(%d)", maxFolded)
	switch f.tx.Name() {
	case "postgres":
		kind += ` COLLATE "C"`
	case "mysql":
		binary, _, err := collations(f.tx)
		return kind + " CHARACTER SET utf8mb4 COLLATE " + binary, err
	}
	return kind, nil
}

// required reports whether the column is not nullable.
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

// key returns the columns that identify a row.
func (f fold) key() ([]string, error) {
	columns, err := primaryKey(f.tx, f.table)
	if len(columns) == 0 {
		columns = []string{f.column}
	}
	return columns, err
}

// refill adds the folded forms of rows that an older program has stored without
// them, so that the column is unique ignoring case. Rows that equal others are an
// error that names them, and are left unchanged.
func refill(tx *gorm.DB) error {
	var tables []string
	if err := tx.Raw(map[string]string{
		"sqlite":   "SELECT DISTINCT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name LIKE '%\\_folded' ESCAPE '\\' AND c.type = 'varchar(765)' ORDER BY 1",
		"postgres": "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.oid = to_regclass(quote_ident(c.relname)) AND c.relkind = 'r' AND a.attname LIKE '%\\_folded' AND format_type(a.atttypid, a.atttypmod) = 'character varying(765)' ORDER BY 1",
		"mysql":    "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = database() AND column_name LIKE '%\\_folded' AND column_type = 'varchar(765)' ORDER BY 1",
	}[tx.Name()]).Scan(&tables).Error; err != nil {
		return err
	}
	for _, table := range tables {
		columns, err := foldedColumns(tx, table)
		if err != nil {
			return err
		}
		for _, column := range slices.Sorted(maps.Keys(columns)) {
			if err := (fold{tx: tx, table: table, column: column, missing: true}).fill(); err != nil {
				return fmt.Errorf("%s has a row, stored by an older program, whose %s equals another's ignoring case\n  where: %w\n  try:   change one of them, then migrate again", table, column, err)
			}
		}
	}
	return nil
}

// fill adds the folded forms of existing rows.
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
	table, order, text := clause.Table{Name: f.table}, strings.Trim(marks, "()"), "?"
	if f.tx.Name() == "postgres" { // a prepared statement keeps its column types, and an earlier migration may have used it
		text = "CAST(? AS text)"
	}
	var size batchSize
	for last := []any(nil); ; {
		most := maxBatch
		if online(f.tx) {
			most = size.next()
		}
		query, vars := "SELECT "+order+", "+text+" FROM ? WHERE 1 = 1", append(slices.Clone(columns), clause.Column{Name: f.column}, table)
		if f.missing {
			query, vars = query+" AND ? IS NULL AND ? IS NOT NULL", append(vars, clause.Column{Name: foldedColumn(f.column)}, clause.Column{Name: f.column})
		}
		if last != nil {
			query, vars = query+" AND "+marks+" > "+marks, append(append(vars, columns...), last...)
		}
		rows, err := records(f.tx.Raw(query+" ORDER BY "+order+" LIMIT "+strconv.Itoa(most), append(vars, columns...)...))
		if err != nil {
			return err
		}
		err = withBriefLock(f.tx, func(tx *gorm.DB) error {
			for _, row := range rows {
				text, ok := row[len(key)].(string)
				if !ok {
					continue
				}
				vars := []any{table, clause.Column{Name: foldedColumn(f.column)}, Fold(text)}
				for i, column := range columns {
					vars = append(vars, column, row[i])
				}
				if err := tx.Exec("UPDATE ? SET ? = ? WHERE "+strings.TrimSuffix(strings.Repeat("? = ? AND ", len(key)), " AND "), vars...).Error; err != nil {
					return fmt.Errorf("%s of %s: %q: %w", f.column, f.table, text, err)
				}
			}
			return nil
		})
		if err == nil {
			err = mergePending(f.tx, f.table)
		}
		if err != nil {
			return err
		}
		if len(rows) < most {
			return nil
		}
		last = rows[len(rows)-1][:len(key)]
	}
}

// reindex creates the index, in place of an existing one, after checking that the
// rows are distinct.
func (f fold) reindex() error {
	if !f.plain {
		if err := f.checkDistinct(); err != nil {
			return err
		}
	}
	if err := f.unindex(); err != nil {
		return err
	}
	if f.plain {
		return createIndex(f.tx, "", f.index(), "ON ? (?)", clause.Table{Name: f.table}, clause.Column{Name: foldedColumn(f.column)})
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

// checkDistinct returns an error that names rows which are equal.
func (f fold) checkDistinct() error {
	table, form, text := clause.Table{Name: f.table}, clause.Column{Name: foldedColumn(f.column)}, clause.Column{Name: f.column}
	list, same, present := "?", "", "? IS NOT NULL"
	groups := []any{form}
	for _, name := range f.within { // null never equals null
		list += ", ?"
		same += " AND ? = ?"
		present += " AND ? IS NOT NULL"
		groups = append(groups, clause.Column{Name: name})
	}
	equal, err := records(f.tx.Raw("SELECT "+list+" FROM ? WHERE "+present+" GROUP BY "+list+" HAVING count(*) > 1 ORDER BY "+list+" LIMIT 11",
		slices.Concat(groups, []any{table}, groups, groups, groups)...))
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
	return fmt.Errorf("%s has rows whose %s is equal apart from case\n  where: %s\n  try:   change or merge all but one of each, then migrate again",
		f.table, f.column, strings.Join(lines, "\n         "))
}

// drop drops the folded column and its index.
func (f fold) drop() error {
	there, err := foldedColumns(f.tx, f.table)
	if err != nil || !there[f.column] {
		return err
	}
	f.invalidate()
	if err := f.unindex(); err != nil {
		return err
	}
	return run(f.tx, "ALTER TABLE ? DROP COLUMN ?", clause.Table{Name: f.table}, clause.Column{Name: foldedColumn(f.column)})
}

// records returns the rows of a statement.
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
