package db

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// ChangeTable changes the columns that before declares into those that after
// declares, with their indexes, checks and foreign keys, for migrations. Both are
// pointers to structs with GORM's tags that hold what changes, besides the primary
// key; a column in both keeps its values. The tag fold, or
// fold:organisation_id,not_deleted, is what UniqueNoCase does to a column, nocase
// what NoCase does, and -> marks a column that exists and is only referenced.
// Swapping before and after undoes the change.
//
// Rows that do not fit, because a value is missing, too long, has too many digits,
// is a duplicate or violates a check, are an error before anything is changed. On
// SQLite the table is rebuilt, with its other indexes and its triggers. On MySQL a
// change that failed half way can be run again. An online migration does not block
// programs.
func ChangeTable(tx *gorm.DB, table string, before, after any) error {
	return changeTable(tx, table, before, after, nil)
}

// RenameColumn is ChangeTable for one column that before declares by its old name
// and after by its new one.
func RenameColumn(tx *gorm.DB, table string, before, after any) error {
	was, is, err := declareBoth(tx, table, before, after)
	if err != nil {
		return err
	}
	if len(was.order) != 1 || len(is.order) != 1 {
		return fmt.Errorf("rename a column of %s: %v and %v are not one column each", table, was.order, is.order)
	}
	return changeTable(tx, table, before, after, map[string]string{was.order[0]: is.order[0]})
}

// Fill sets a column in the rows where it is null, for migrations. value may be an
// expression: gorm.Expr("lower(title)").
func Fill(tx *gorm.DB, table, column string, value any) error {
	if _, worked := value.(clause.Expression); concurrent(tx) && !worked {
		if err := setDefault(tx, table, column, value); err != nil {
			return err
		}
	}
	return inBatches(tx, table, func(tx *gorm.DB, and string, vars []any) error {
		return tx.Exec("UPDATE ? SET ? = ? WHERE ? IS NULL"+and,
			append([]any{clause.Table{Name: table}, clause.Column{Name: column}, value, clause.Column{Name: column}}, vars...)...).Error
	})
}

// declared is the part of a table that a struct declares.
type declared struct {
	model      any
	table      string
	order      []string                 // names of the columns that it defines
	columns    map[string]*schema.Field // by name
	referenced []string                 // columns that it only references
	keys       map[string]*schema.Constraint
	checks     map[string]schema.CheckConstraint
	indexes    map[string]*schema.Index
}

// declareBoth returns the declarations of a table before and after a change.
func declareBoth(tx *gorm.DB, table string, before, after any) (was, is declared, err error) {
	if was, err = declare(tx, table, before); err == nil {
		is, err = declare(tx, table, after)
	}
	return was, is, err
}

func declare(tx *gorm.DB, table string, model any) (declared, error) {
	stmt := &gorm.Statement{DB: tx}
	if err := stmt.ParseWithSpecialTableName(model, table); err != nil {
		return declared{}, fmt.Errorf("columns of %T: %w", model, err)
	}
	d := declared{
		model: model, table: stmt.Schema.Table, columns: map[string]*schema.Field{}, keys: map[string]*schema.Constraint{},
		checks: stmt.Schema.ParseCheckConstraints(), indexes: map[string]*schema.Index{},
	}
	for _, name := range stmt.Schema.DBNames {
		switch field := stmt.Schema.FieldsByDBName[name]; {
		case field.PrimaryKey:
		case field.Creatable:
			d.order = append(d.order, name)
			d.columns[name] = field
		default:
			d.referenced = append(d.referenced, name)
		}
	}
	for _, rel := range stmt.Schema.Relationships.Relations {
		if key := rel.ParseConstraint(); key != nil && rel.Type == schema.BelongsTo {
			d.keys[key.Name] = key
		}
	}
	for _, index := range stmt.Schema.ParseIndexes() {
		d.indexes[index.Name] = index
	}
	return d, nil
}

// folds reports whether a column is compared ignoring case, and how.
func (d declared) folds(column string) (f fold, ok bool) {
	f = fold{table: d.table, column: column}
	field := d.columns[column]
	if field == nil {
		return f, false
	}
	within, ok := field.TagSettings["FOLD"]
	if ok && within != "FOLD" { // the tag has a value
		f.within = strings.Split(within, ",")
	}
	_, f.plain = field.TagSettings["NOCASE"]
	return f, ok || f.plain
}

// change is a change of a table.
type change struct {
	tx      *gorm.DB
	was, is declared
	renamed map[string]string // new names by old ones
	altered []string          // columns of is with another definition
	added   []string          // columns of is
	dropped []string          // columns of was
	keys    [2][]string       // names of those to drop, and of those to create
	checks  [2][]string
	indexes [2][]string
	folds   [2][]string // columns
}

func changeTable(tx *gorm.DB, table string, before, after any, renamed map[string]string) error {
	was, is, err := declareBoth(tx, table, before, after)
	if err != nil {
		return err
	}
	c := change{tx: tx, was: was, is: is, renamed: renamed}
	c.compare()
	if err := c.checkRows(); err != nil {
		return err
	}
	return c.apply()
}

func (c change) apply() error {
	if c.tx.Name() == "sqlite" {
		return c.rebuild()
	}
	return c.alter()
}

// old returns the old name of a column.
func (c change) old(name string) string {
	for old, now := range c.renamed {
		if now == name {
			return old
		}
	}
	return name
}

// keepsFolded reports whether the folded column of a column is renamed with it.
func (c change) keepsFolded(name string) bool {
	now, renamed := c.renamed[name]
	_, folded := c.was.folds(name)
	_, folds := c.is.folds(now)
	return renamed && folded && folds
}

// renames returns the new names of columns by their old ones, including folded
// columns.
func (c change) renames() (map[string]string, error) {
	renames := maps.Clone(c.renamed)
	for old, now := range c.renamed {
		if !c.keepsFolded(old) {
			continue
		}
		there, err := foldedColumns(c.tx, c.is.table)
		if err != nil {
			return nil, err
		}
		if there[old] { // otherwise it is created
			renames[foldedColumn(old)] = foldedColumn(now)
		}
	}
	return renames, nil
}

// compare computes the differences.
func (c *change) compare() {
	m := c.tx.Migrator()
	touched := map[string]bool{} // columns, by their name at that time
	for _, name := range c.was.order {
		now, moved := c.renamed[name]
		if _, stays := c.is.columns[name]; !stays && !moved {
			c.dropped = append(c.dropped, name)
		}
		if moved {
			touched[name], touched[now] = true, true
		}
	}
	for _, name := range c.is.order {
		old := c.was.columns[c.old(name)]
		if old == nil {
			c.added = append(c.added, name)
			continue
		}
		before, folded := c.was.folds(c.old(name))
		after, folds := c.is.folds(name)
		if folded != folds || before.plain != after.plain || m.FullDataTypeOf(old).SQL != m.FullDataTypeOf(c.is.columns[name]).SQL {
			c.altered = append(c.altered, name)
			touched[name], touched[c.old(name)] = true, true
		}
	}
	for _, name := range c.dropped {
		touched[name] = true
	}
	for _, name := range c.added {
		touched[name] = true
	}
	c.indexes = diff(c.was.indexes, c.is.indexes, func(a, b *schema.Index) bool { return indexKey(a) == indexKey(b) })
	for _, names := range [][]string{c.indexes[0], c.indexes[1]} {
		if c.tx.Name() != "mysql" { // MySQL keeps an index that a foreign key needs
			break
		}
		for _, name := range names {
			for _, d := range []declared{c.was, c.is} {
				if index := d.indexes[name]; index != nil {
					for _, f := range index.Fields {
						touched[f.DBName] = true
					}
				}
			}
		}
	}
	c.checks = diff(c.was.checks, c.is.checks, func(a, b schema.CheckConstraint) bool {
		return a.Constraint == b.Constraint && !slices.Contains(c.altered, a.DBName)
	})
	for _, name := range c.checks[0] {
		if c.tx.Name() == "sqlite" { // the column is written again
			touched[c.was.checks[name].DBName] = true
		}
	}
	c.keys = diff(c.was.keys, c.is.keys, func(a, b *schema.Constraint) bool {
		return a.OnDelete == b.OnDelete && a.ReferenceSchema.Table == b.ReferenceSchema.Table && !slices.ContainsFunc(a.ForeignKeys, func(f *schema.Field) bool { return touched[f.DBName] })
	})
	for i, d := range []declared{c.was, c.is} {
		for _, name := range d.order {
			if _, folds := d.folds(name); folds && touched[name] {
				c.folds[i] = append(c.folds[i], name)
			}
		}
	}
}

// diff returns the names that only was has or has otherwise, and those that
// only is has or has otherwise.
func diff[T any](was, is map[string]T, same func(a, b T) bool) (names [2][]string) {
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if now, ok := is[name]; !ok || !same(was[name], now) {
			names[0] = append(names[0], name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if old, ok := was[name]; !ok || !same(old, is[name]) {
			names[1] = append(names[1], name)
		}
	}
	return names
}

// indexKey returns the class and the columns of an index, for comparison.
func indexKey(index *schema.Index) string {
	columns := []string{index.Class}
	for _, f := range index.Fields {
		columns = append(columns, f.DBName)
	}
	return strings.Join(columns, " ")
}

// checkRows returns an error if rows do not fit the change, before a database fails half
// way.
func (c change) checkRows() error {
	quoted := func(name string) clause.Column { return clause.Column{Name: c.old(name)} }
	table := clause.Table{Name: c.is.table}
	const first = "change these rows first, in a migration before this one"
	const filled = first + "; or undo the command and give it --backfill VALUE"
	refuse := func(where, try, what, condition string, vars ...any) error {
		var n int64
		if err := c.tx.Raw("SELECT count(*) FROM ? WHERE "+condition, append([]any{table}, vars...)...).Scan(&n).Error; err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		return fmt.Errorf("%s\n  where: %s\n  try:   %s", countedRows(n, c.is.table, what), where, try)
	}
	count := func(what, condition string, vars ...any) error {
		return refuse("table "+c.is.table, first, what, condition, vars...)
	}
	var failed []error
	for _, name := range c.is.order {
		field, old := c.is.columns[name], c.was.columns[c.old(name)]
		generated := strings.Contains(string(field.DataType), "GENERATED ")
		if old == nil {
			if field.NotNull && !field.HasDefaultValue && !generated {
				failed = append(failed, refuse("table "+c.is.table, filled, "would have no value for "+name+", which is required", "1 = 1"))
			}
			continue
		}
		if field.NotNull && !old.NotNull {
			failed = append(failed, refuse("table "+c.is.table, filled, "have no value for "+name+", which is to be required", "? IS NULL", quoted(name)))
		}
		if size := field.Size; field.DataType == schema.String && old.DataType == schema.String && size > 0 && (old.Size > size || old.Size == 0) {
			failed = append(failed, count(fmt.Sprintf("have %s of more than %d characters", article(name), size), length(c.tx)+"(?) > ?", quoted(name), size))
		}
		digits, scale := decimalDigits(field)
		if d, s := decimalDigits(old); digits > 0 && (d-s > digits-scale || s > scale) {
			failed = append(failed, count(fmt.Sprintf("have %s that does not fit %s", article(name), field.DataType),
				"? <> ROUND(?, ?) OR ABS(?) >= ?", quoted(name), quoted(name), scale, quoted(name), clause.Expr{SQL: "1" + strings.Repeat("0", digits-scale)}))
		}
		if numeric(field) && old.DataType == schema.String {
			failed = append(failed, c.numbers(count, quoted(name), name))
		}
	}
	for _, name := range c.checks[1] {
		check := c.is.checks[name]
		if c.was.columns[c.old(check.DBName)] != nil && len(c.renamed) == 0 {
			failed = append(failed, count("do not fit "+check.Constraint, "NOT ("+check.Constraint+")"))
		}
	}
	for _, name := range c.indexes[1] {
		index := c.is.indexes[name]
		if index.Class != "UNIQUE" {
			continue
		}
		there, live := true, ""
		var columns, names []string
		var vars []any
		for _, f := range index.Fields {
			if f.DBName == notDeleted { // which this change may add
				live = "deleted_at IS NULL AND "
				continue
			}
			there = there && (c.was.columns[c.old(f.DBName)] != nil || slices.Contains(c.was.referenced, f.DBName))
			columns, vars = append(columns, "?"), append(vars, quoted(f.DBName))
			names = append(names, f.DBName)
		}
		if !there {
			continue
		}
		list, present := strings.Join(columns, ", "), strings.Join(columns, " IS NOT NULL AND ")+" IS NOT NULL"
		shared := live + "(" + list + ") IN (SELECT " + list + " FROM ? WHERE " + live + present + " GROUP BY " + list + " HAVING count(*) > 1)"
		vars = slices.Concat(vars, vars, []any{table}, vars, vars)
		where, err := c.rows(vars[:len(names)], shared, vars)
		if err != nil {
			return err
		}
		failed = append(failed, refuse(where, first, "share their "+strings.Join(names, " and ")+" with another, which is to be unique", shared, vars...))
	}
	return errors.Join(failed...)
}

// rows returns the first few rows that match a condition, as text: their table, and
// for each the key and its values in some columns.
func (c change) rows(columns []any, condition string, vars []any) (string, error) {
	key, err := primaryKey(c.tx, c.is.table)
	if err != nil {
		return "", err
	}
	var keys []any
	for _, name := range key {
		keys = append(keys, clause.Column{Name: name})
	}
	all := slices.Concat(columns, keys)
	list := strings.TrimSuffix(strings.Repeat("?, ", len(all)), ", ")
	found, err := records(c.tx.Raw("SELECT "+list+" FROM ? WHERE "+condition+" ORDER BY "+list+" LIMIT 10", slices.Concat(all, []any{clause.Table{Name: c.is.table}}, vars, all)...))
	if err != nil {
		return "", err
	}
	where := "table " + c.is.table
	for _, row := range found {
		line := ""
		for i, value := range row {
			if text, ok := value.(string); ok && i < len(columns) {
				value = strconv.Quote(text)
			}
			if i >= len(columns) {
				line += ", " + key[i-len(columns)] + " "
			} else if i > 0 {
				line += " and "
			}
			line += fmt.Sprint(value)
		}
		where += "\n         " + line
	}
	return where, nil
}

// countedRows returns a sentence about n rows of a table; what begins with its
// verb.
func countedRows(n int64, table, what string) string {
	if n != 1 {
		return fmt.Sprintf("%d rows of %s %s", n, table, what)
	}
	for plural, singular := range map[string]string{"have ": "has ", "share their ": "shares its ", "do ": "does "} {
		if rest, ok := strings.CutPrefix(what, plural); ok {
			what = singular + rest
			break
		}
	}
	return "1 row of " + table + " " + what
}

// article returns the name of a column with a or an.
func article(name string) string {
	if strings.HasPrefix(name, "u") || !strings.ContainsAny(name[:1], "aeio") {
		return "a " + name
	}
	return "an " + name
}

// numbers rejects texts that are not whole numbers.
func (c change) numbers(count func(string, string, ...any) error, column clause.Column, name string) error {
	what := "have " + article(name) + " that is not a whole number"
	switch c.tx.Name() {
	case "postgres":
		return count(what, "? !~ '^-?[0-9]{1,18}$'", column)
	case "mysql":
		return count(what, "? NOT REGEXP '^-?[0-9]{1,18}$'", column)
	}
	return count(what, "CAST(CAST(? AS INTEGER) AS TEXT) <> ?", column, column)
}

func numeric(field *schema.Field) bool { return field.DataType == schema.Int }

// decimalDigits returns the precision and the scale of a decimal column: both 0 for
// another column.
func decimalDigits(field *schema.Field) (digits, scale int) {
	if n, err := fmt.Sscanf(string(field.DataType), "decimal(%d,%d)", &digits, &scale); n != 2 || err != nil {
		return 0, 0
	}
	return digits, scale
}

func length(tx *gorm.DB) string {
	if tx.Name() == "sqlite" {
		return "length"
	}
	return "char_length"
}

// alter changes a table of PostgreSQL or MySQL.
func (c change) alter() error {
	m := c.tx.Migrator()
	table := clause.Table{Name: c.is.table}
	for _, name := range slices.Concat(c.keys[0], c.checks[0]) {
		if c.replaced(name) || !m.HasConstraint(c.is.table, name) {
			continue
		}
		if err := run(c.tx, "ALTER TABLE ? DROP CONSTRAINT ?", table, clause.Column{Name: name}); err != nil {
			return err
		}
	}
	if err := c.dropIndexes(); err != nil {
		return err
	}
	renames, err := c.renames()
	if err != nil {
		return err
	}
	for old, now := range renames {
		if m.HasColumn(c.is.table, now) && !m.HasColumn(c.is.table, old) {
			continue
		}
		if err := run(c.tx, "ALTER TABLE ? RENAME COLUMN ? TO ?", table, clause.Column{Name: old}, clause.Column{Name: now}); err != nil {
			return err
		}
	}
	for _, name := range c.altered {
		if err := c.alterColumn(name); err != nil {
			return err
		}
	}
	for _, name := range c.added {
		if m.HasColumn(c.is.table, name) {
			continue
		}
		if err := run(c.tx, "ALTER TABLE ? ADD ? ?", table, clause.Column{Name: name}, m.FullDataTypeOf(c.is.columns[name])); err != nil {
			return err
		}
	}
	for _, name := range slices.Backward(c.dropped) { // generated columns are dropped before those they are computed from
		if !m.HasColumn(c.is.table, name) {
			continue
		}
		if err := run(c.tx, "ALTER TABLE ? DROP COLUMN ?", table, clause.Column{Name: name}); err != nil {
			return err
		}
	}
	if err := c.createIndexes(); err != nil {
		return err
	}
	for _, name := range slices.Concat(c.checks[1], c.keys[1]) {
		if err := constrain(c.tx, c.is.table, name, c.constraint(name), c.replaced(name)); err != nil {
			return err
		}
	}
	return nil
}

// constraint returns a constraint to create.
func (c change) constraint(name string) constraint {
	if key := c.is.keys[name]; key != nil {
		return key
	}
	check := c.is.checks[name]
	return &check
}

// replaced reports whether a constraint is replaced by another of the same name in
// one statement.
func (c change) replaced(name string) bool {
	if !concurrent(c.tx) {
		return false
	}
	if slices.Contains(c.keys[0], name) && slices.Contains(c.keys[1], name) {
		return !slices.ContainsFunc(c.is.keys[name].ForeignKeys, func(f *schema.Field) bool { return slices.Contains(c.altered, f.DBName) })
	}
	return slices.Contains(c.checks[0], name) && slices.Contains(c.checks[1], name) && !slices.Contains(c.altered, c.is.checks[name].DBName)
}

// alterColumn changes the definition of a column of PostgreSQL or MySQL.
func (c change) alterColumn(name string) error {
	field, old := c.is.columns[name], c.was.columns[c.old(name)]
	table, column := clause.Table{Name: c.is.table}, clause.Column{Name: name}
	if c.tx.Name() == "mysql" {
		return run(c.tx, "ALTER TABLE ? MODIFY ? ?", table, column, c.tx.Migrator().FullDataTypeOf(field))
	}
	kind := bare(c.tx.Migrator().FullDataTypeOf(field).SQL)
	_, folded := c.was.folds(c.old(name)) // it has another collation
	retyped := folded || kind != bare(c.tx.Migrator().FullDataTypeOf(old).SQL)
	if concurrent(c.tx) && retyped {
		done, has, err := c.retype(name)
		if done || err != nil {
			return err
		}
		retyped = !has
	}
	proved := notNullCheck{name}
	if concurrent(c.tx) && field.NotNull && !old.NotNull {
		// The default is set first, for programs that do not know the column yet.
		if _, value, ok := strings.Cut(c.tx.Migrator().FullDataTypeOf(field).SQL, " DEFAULT "); ok && kind == bare(c.tx.Migrator().FullDataTypeOf(old).SQL) {
			if err := run(c.tx, "ALTER TABLE ? ALTER COLUMN ? SET DEFAULT ?", table, column, clause.Expr{SQL: value}); err != nil {
				return err
			}
		}
		if err := constrain(c.tx, c.is.table, proved.name(), proved, false); err != nil {
			return err
		}
	}
	return withBriefLock(c.tx, func(tx *gorm.DB) error {
		if err := c.redefineColumn(tx, name, retyped); err != nil || !concurrent(c.tx) {
			return err
		}
		return tx.Exec("ALTER TABLE ? DROP CONSTRAINT IF EXISTS ?", table, clause.Column{Name: proved.name()}).Error
	})
}

// redefineColumn changes the definition of a column of PostgreSQL.
func (c change) redefineColumn(tx *gorm.DB, name string, retyped bool) error {
	m := tx.Migrator()
	field, old := c.is.columns[name], c.was.columns[c.old(name)]
	alter := func(how string, vars ...any) error {
		return tx.Exec("ALTER TABLE ? ALTER COLUMN ? "+how, append([]any{clause.Table{Name: c.is.table}, clause.Column{Name: name}}, vars...)...).Error
	}
	if old.HasDefaultValue || !field.NotNull { // a column that becomes required may have the default of Fill
		if err := alter("DROP DEFAULT"); err != nil {
			return err
		}
	}
	if retyped {
		kind := bare(m.FullDataTypeOf(field).SQL)
		how := "TYPE " + kind
		var vars []any
		if numeric(field) && old.DataType == schema.String {
			how, vars = how+" USING ?::"+kind, []any{clause.Column{Name: name}}
		}
		if err := alter(how, vars...); err != nil {
			return err
		}
	}
	if field.NotNull != old.NotNull {
		if err := alter(map[bool]string{true: "SET NOT NULL", false: "DROP NOT NULL"}[field.NotNull]); err != nil {
			return err
		}
	}
	if _, value, ok := strings.Cut(m.FullDataTypeOf(field).SQL, " DEFAULT "); ok {
		return alter("SET DEFAULT ?", clause.Expr{SQL: value})
	}
	return nil
}

// bare returns the type of a column's definition without the rest.
func bare(definition string) string {
	definition, _, _ = strings.Cut(definition, " DEFAULT ")
	return strings.TrimSuffix(definition, " NOT NULL")
}

func (c change) dropIndexes() error {
	names := slices.Clone(c.indexes[0])
	folded := slices.Concat(c.folds[0], c.dropped)
	for _, column := range folded {
		f, _ := c.was.folds(column)
		names = append(names, foldIndex(c.was.table, column), f.index())
		for _, there := range c.was.referenced {
			names = append(names, foldIndex(c.was.table, column, there))
		}
	}
	for _, name := range names {
		if c.keepsIndex(name) || !c.tx.Migrator().HasIndex(c.was.table, name) {
			continue
		}
		if err := c.tx.Migrator().DropIndex(c.was.table, name); err != nil {
			return err
		}
	}
	for _, column := range folded {
		if c.keepsFolded(column) {
			continue
		}
		if err := (fold{tx: c.tx, table: c.was.table, column: column}).drop(); err != nil {
			return err
		}
	}
	return nil
}

// keepsIndex reports whether an index is not dropped on its own: it goes with its column,
// or once another of the same name has been created.
func (c change) keepsIndex(name string) bool {
	index := c.was.indexes[name]
	return concurrent(c.tx) && index != nil && (slices.Contains(c.indexes[1], name) ||
		slices.ContainsFunc(index.Fields, func(f schema.IndexOption) bool { return slices.Contains(c.dropped, f.DBName) }))
}

func (c change) createIndexes() error {
	for _, name := range c.indexes[1] {
		create := func() error {
			if c.tx.Migrator().HasIndex(c.is.table, name) {
				return nil
			}
			return c.tx.Table(c.is.table).Migrator().CreateIndex(c.is.model, name)
		}
		var err error
		if concurrent(c.tx) && slices.Contains(c.indexes[0], name) {
			err = replaceIndex(c.tx, name, create)
		} else {
			err = create()
		}
		if err != nil {
			return err
		}
	}
	for _, column := range c.folds[1] {
		f, _ := c.is.folds(column)
		f.tx, f.missing = c.tx, c.keepsFolded(c.old(column))
		if err := f.apply(); err != nil {
			return err
		}
	}
	return nil
}
