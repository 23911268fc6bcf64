package db

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// rebuild changes a table of SQLite, which cannot alter columns: a new table takes
// over the rows and the name of the old one (sqlite.org/lang_altertable.html,
// section 7). Foreign keys are suspended while migrations run, and checked when
// each ends.
func (c change) rebuild() error {
	if err := c.dropIndexes(); err != nil {
		return err
	}
	exec := func(statement string) error {
		// Not through GORM, which interprets @ and ? in names.
		_, err := c.tx.Statement.ConnPool.ExecContext(c.tx.Statement.Context, statement)
		return Translate(err)
	}
	renames, err := c.renames()
	if err != nil {
		return err
	}
	for old, now := range renames { // also in the user's triggers and indexes
		if err := exec("ALTER TABLE " + quoteName(c.is.table) + " RENAME COLUMN " + quoteName(old) + " TO " + quoteName(now)); err != nil {
			return err
		}
	}
	if len(c.altered)+len(c.added)+len(c.dropped)+len(c.keys[0])+len(c.keys[1])+len(c.checks[0])+len(c.checks[1]) > 0 {
		if err := c.copyTable(exec); err != nil {
			return fmt.Errorf("change %s: %w", c.is.table, err)
		}
	}
	return c.createIndexes()
}

// copyTable drops the triggers of dropped keys and rebuilds the table.
func (c change) copyTable(exec func(string) error) error {
	for _, name := range c.keys[0] {
		for _, trigger := range triggers(c.was.keys[name]) {
			if err := exec("DROP TRIGGER IF EXISTS " + quoteName(trigger)); err != nil {
				return err
			}
		}
	}
	return copyTable(c.tx, c.is.table, c.dropped, exec, func(t *tableText) (bool, error) { return true, c.redefine(t) })
}

// copyTable rebuilds a table with the definition that redefine changes, unless
// redefine reports false, and keeps everything except indexes of dropped columns.
func copyTable(tx *gorm.DB, table string, dropped []string, exec func(string) error, redefine func(*tableText) (bool, error)) error {
	var text string
	if err := tx.Raw("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", table).Scan(&text).Error; err != nil {
		return err
	}
	definition, err := parseTable(text)
	if err != nil {
		return err
	}
	if changed, err := redefine(&definition); err != nil || !changed {
		return err
	}
	var kept []string // indexes and triggers, which are dropped with the table
	err = tx.Raw("SELECT sql FROM sqlite_master m WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL "+
		"AND (type = 'trigger' OR NOT EXISTS (SELECT 1 FROM pragma_index_info(m.name) i WHERE i.name IN ?)) ORDER BY rowid",
		table, append(slices.Clone(dropped), "")).Scan(&kept).Error
	if err != nil {
		return err
	}
	var sequence []int64
	if strings.Contains(strings.ToUpper(text), "AUTOINCREMENT") {
		if err := tx.Raw("SELECT seq FROM sqlite_sequence WHERE name = ?", table).Scan(&sequence).Error; err != nil {
			return err
		}
	}
	fresh := table + "_new"
	if err := exec(definition.create(fresh)); err != nil {
		return err
	}
	// Generated columns are hidden, and computed again.
	var columns []string
	err = tx.Raw("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 AND name IN (SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0)", fresh, table).Scan(&columns).Error
	if err != nil {
		return err
	}
	for i, name := range columns {
		columns[i] = quoteName(name)
	}
	list := strings.Join(columns, ", ")
	statements := []string{
		"INSERT INTO " + quoteName(fresh) + " (" + list + ") SELECT " + list + " FROM " + quoteName(table),
		"DROP TABLE " + quoteName(table),
		// Otherwise triggers of other tables that mention the dropped table are an
		// error.
		"PRAGMA legacy_alter_table = ON",
		"ALTER TABLE " + quoteName(fresh) + " RENAME TO " + quoteName(table),
		"PRAGMA legacy_alter_table = OFF",
	}
	for _, n := range sequence {
		statements = append(statements,
			"DELETE FROM sqlite_sequence WHERE name = '"+strings.ReplaceAll(table, "'", "''")+"'",
			fmt.Sprintf("INSERT INTO sqlite_sequence (name, seq) VALUES ('%s', %d)", strings.ReplaceAll(table, "'", "''"), n))
	}
	for _, statement := range append(statements, kept...) {
		if err := exec(statement); err != nil {
			return err
		}
	}
	return nil
}

// redefine changes a table's definition into the new one.
func (c change) redefine(t *tableText) error {
	m := c.tx.Migrator()
	for _, name := range slices.Concat(c.keys[0], c.checks[0]) {
		t.dropConstraint(name)
	}
	for _, name := range c.dropped {
		t.dropColumn(name)
	}
	written := slices.Clone(c.altered)
	var with []string // columns whose definition may contain such constraints
	for _, name := range c.keys[0] {
		for _, f := range c.was.keys[name].ForeignKeys {
			with = append(with, f.DBName)
		}
	}
	for _, name := range c.checks[0] {
		with = append(with, c.was.checks[name].DBName)
	}
	for _, now := range with {
		if to, ok := c.renamed[now]; ok {
			now = to
		}
		if c.is.columns[now] != nil && !slices.Contains(written, now) {
			written = append(written, now)
		}
	}
	for _, name := range written {
		if slices.Contains(c.added, name) {
			continue
		}
		if !t.setColumn(name, columnText(m, c.is.columns[name])) {
			return fmt.Errorf("its definition has no column %s", name)
		}
	}
	for _, name := range c.added {
		t.addColumn(columnText(m, c.is.columns[name]))
	}
	for _, name := range c.checks[1] {
		t.constraints = append(t.constraints, "CONSTRAINT "+quoteName(name)+" CHECK ("+c.is.checks[name].Constraint+")")
	}
	for _, name := range c.keys[1] {
		t.constraints = append(t.constraints, keyText(c.is.keys[name]))
	}
	return nil
}

func columnText(m gorm.Migrator, field *schema.Field) string {
	return quoteName(field.DBName) + " " + m.FullDataTypeOf(field).SQL
}

func keyText(key *schema.Constraint) string {
	names := func(fields []*schema.Field) string {
		var list []string
		for _, f := range fields {
			list = append(list, quoteName(f.DBName))
		}
		return strings.Join(list, ", ")
	}
	text := "CONSTRAINT " + quoteName(key.Name) + " FOREIGN KEY (" + names(key.ForeignKeys) + ") REFERENCES " +
		quoteName(key.ReferenceSchema.Table) + " (" + names(key.References) + ")"
	if key.OnDelete != "" {
		text += " ON DELETE " + key.OnDelete
	}
	return text
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// tableText is a CREATE TABLE statement of SQLite, split at the commas of its list.
type tableText struct {
	columns     []string
	constraints []string
	options     string // the text after the list
}

func parseTable(text string) (tableText, error) {
	var t tableText
	text = stripComments(text)
	begin := -1
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch b := text[i]; b {
		case '\'', '"', '`', '[':
			end := strings.IndexByte(text[i+1:], map[byte]byte{'\'': '\'', '"': '"', '`': '`', '[': ']'}[b])
			if end < 0 {
				return t, fmt.Errorf("cannot read %s", text)
			}
			i += end + 1 // a doubled quote opens the next string
		case '(':
			if depth++; depth == 1 && begin < 0 {
				begin, start = i, i+1
			}
		case ')', ',':
			if b == ')' {
				depth--
			}
			if begin >= 0 && (b == ')' && depth == 0 || b == ',' && depth == 1) {
				t.add(strings.TrimSpace(text[start:i]))
				start = i + 1
			}
			if b == ')' && depth == 0 && begin >= 0 {
				t.options = strings.TrimSpace(text[i+1:])
				return t, nil
			}
		}
	}
	return t, fmt.Errorf("cannot read %s", text)
}

// comment matches a quoted string or a comment.
var comment = regexp.MustCompile("(?s)'[^']*'|\"[^\"]*\"|`[^`]*`|\\[[^\\]]*\\]|--[^\n]*|/\\*.*?(?:\\*/|$)")

// stripComments returns SQL without its comments.
func stripComments(text string) string {
	return comment.ReplaceAllStringFunc(text, func(part string) string {
		if strings.HasPrefix(part, "--") || strings.HasPrefix(part, "/*") {
			return " "
		}
		return part
	})
}

// add adds one element of the list.
func (t *tableText) add(element string) {
	word := firstName(element)
	if !strings.HasPrefix(element, word) {
		word = "" // a quoted name
	}
	switch strings.ToUpper(word) {
	case "CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN":
		t.constraints = append(t.constraints, element)
	default:
		t.columns = append(t.columns, element)
	}
}

func (t *tableText) create(name string) string {
	return strings.TrimSpace("CREATE TABLE " + quoteName(name) + " (" + strings.Join(append(slices.Clone(t.columns), t.constraints...), ", ") + ") " + t.options)
}

func (t *tableText) addColumn(text string) { t.columns = append(t.columns, text) }

func (t *tableText) setColumn(name, text string) bool {
	at := slices.IndexFunc(t.columns, func(column string) bool { return firstName(column) == name })
	if at >= 0 {
		t.columns[at] = text
	}
	return at >= 0
}

func (t *tableText) dropColumn(name string) {
	t.columns = slices.DeleteFunc(t.columns, func(column string) bool { return firstName(column) == name })
}

func (t *tableText) dropConstraint(name string) {
	t.constraints = slices.DeleteFunc(t.constraints, func(constraint string) bool {
		rest, ok := strings.CutPrefix(constraint, "CONSTRAINT ")
		return ok && firstName(rest) == name
	})
}

// firstName returns the name that text begins with.
func firstName(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	end, ok := map[byte]string{'"': `"`, '`': "`", '[': "]"}[text[0]]
	if !ok {
		if at := strings.IndexAny(text, " \t\r\n("); at >= 0 {
			text = text[:at]
		}
		return text
	}
	name, _, _ := strings.Cut(text[1:], end)
	return name
}
