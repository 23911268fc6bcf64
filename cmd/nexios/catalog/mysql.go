package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/nexios-go/nexios/runtime/db/address"
	"github.com/nexios-go/nexios/scaffold/adopt"
	"github.com/nexios-go/nexios/scaffold/problem"
)

func openMySQL(ctx context.Context, o Options) (*sql.DB, error) {
	cfg, err := address.MySQL(o.URL)
	if err != nil {
		return nil, unread("MySQL")
	}
	connector, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return nil, unread("MySQL")
	}
	pool := sql.OpenDB(connector)
	if err := pool.PingContext(ctx); err != nil {
		pool.Close()
		if refused := (*mysqldriver.MySQLError)(nil); errors.As(err, &refused) {
			return nil, &problem.Error{
				Kind: problem.Failure, What: "the database refused the connection: " + refused.Message, Where: cfg.Addr,
				Try: "check the user, the password and the name in DATABASE_URL",
			}
		}
		return nil, silent(cfg.Addr, err)
	}
	return pool, nil
}

func readMySQL(ctx context.Context, o Options) (c adopt.Catalog, err error) {
	pool, err := openMySQL(ctx, o)
	if err != nil {
		return c, err
	}
	defer pool.Close()
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return c, err
	}
	defer tx.Rollback()
	r := mysqlReader{sqlReader: sqlReader{ctx, tx}, without: o.Without}
	if err := tx.QueryRowContext(ctx, "SELECT database(), version() LIKE '%MariaDB%'").Scan(&r.name, &r.mariadb); err != nil {
		return c, err
	}
	for _, step := range []func(*adopt.Catalog) error{r.tables, r.columns, r.checks, r.keys, r.indexes, r.build} {
		if err := step(&c); err != nil {
			return c, err
		}
	}
	if len(c.Tables) == 0 {
		return c, &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("the database %q has no tables", r.name), Where: "DATABASE_URL", Try: "check the name of the database in DATABASE_URL"}
	}
	return c, nil
}

func markMySQL(ctx context.Context, o Options, migration string, at time.Time) error {
	pool, err := openMySQL(ctx, o)
	if err != nil {
		return err
	}
	defer pool.Close()
	return mark(ctx, pool, "CREATE TABLE IF NOT EXISTS schema_migrations (id varchar(191), applied_at datetime(6) NOT NULL, PRIMARY KEY (id))",
		"INSERT IGNORE INTO schema_migrations (id, applied_at) VALUES (?, ?)", migration, at)
}

type mysqlReader struct {
	sqlReader
	without []string
	name    string // of the database
	mariadb bool
}

func (r *mysqlReader) tables(c *adopt.Catalog) error {
	return r.rows(`SELECT table_name, table_type, CASE WHEN table_type LIKE '%VIEW' THEN '' ELSE coalesce(table_comment, '') END FROM information_schema.tables
		WHERE table_schema = database() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW') ORDER BY table_name`, func(scan func(...any) error) error {
		var t adopt.Table
		var kind string
		if err := scan(&t.Name, &kind, &t.Comment); err != nil || t.Name == migrationsTable {
			return err
		}
		if slices.Contains(r.without, t.Name) {
			t.Skip = made
		}
		t.View = kind == "VIEW"
		t.ReadOnly = !t.View // unless it has a column that may be written
		c.Tables = append(c.Tables, t)
		return nil
	})
}

func (r *mysqlReader) columns(c *adopt.Catalog) error {
	return r.rows(`SELECT table_name, column_name, column_comment, data_type, column_type, coalesce(character_maximum_length, 0), coalesce(numeric_precision, 0), coalesce(numeric_scale, 0),
		is_nullable = 'YES', column_default, extra, coalesce(character_set_name, ''), coalesce(collation_name, ''), privileges
		FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position`, func(scan func(...any) error) error {
		var table, kind, whole, extra, charset, collation, rights string
		var length, precision, scale int64
		var standard sql.NullString
		var col adopt.Column
		if err := scan(&table, &col.Name, &col.Comment, &kind, &whole, &length, &precision, &scale, &col.Null, &standard, &extra, &charset, &collation, &rights); err != nil {
			return err
		}
		col.Hidden = !strings.Contains(rights, "select")
		extra = strings.ToUpper(extra)
		col.Identity = strings.Contains(extra, "AUTO_INCREMENT")
		col.Always = strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED")
		col.Default = r.standard(standard, extra)
		mysqlType(&col, kind, whole, int(length), int(precision), int(scale))
		if col.Exact = whole; charset != "" {
			col.Exact += " CHARACTER SET " + charset + " COLLATE " + collation
		}
		t := find(c, table)
		if t.Columns = append(t.Columns, col); strings.Contains(rights, "insert") {
			t.ReadOnly = false
		}
		return nil
	})
}

// standard is a default as an expression: MySQL writes a text without quotes.
func (r *mysqlReader) standard(value sql.NullString, extra string) string {
	switch {
	case !value.Valid || value.String == "NULL":
		return ""
	case r.mariadb || strings.Contains(extra, "DEFAULT_GENERATED") || number.MatchString(value.String):
		return value.String
	}
	return "'" + strings.ReplaceAll(value.String, "'", "''") + "'"
}

var (
	number = regexp.MustCompile(`^-?[0-9.]+$`)
	values = regexp.MustCompile(`'((?:[^']|'')*)'`)
)

// mysqlType is the type of a column in the words that the mapper knows, with what
// its own type forbids as a check.
func mysqlType(c *adopt.Column, kind, whole string, length, precision, scale int) {
	between := func(least, most string) { c.Checks = append(c.Checks, "(VALUE >= "+least+" AND VALUE <= "+most+")") }
	unsigned := strings.Contains(whole, "unsigned")
	switch kind {
	case "tinyint":
		if strings.HasPrefix(whole, "tinyint(1)") {
			c.Type = "boolean"
			c.Default = map[string]string{"0": "false", "1": "true"}[c.Default]
			return
		}
		if c.Type = "smallint"; unsigned {
			between("0", "255")
		} else {
			between("-128", "127")
		}
	case "smallint":
		if c.Type = "smallint"; unsigned {
			c.Type = "integer"
			between("0", "65535")
		}
	case "mediumint":
		if c.Type = "integer"; unsigned {
			between("0", "16777215")
		} else {
			between("-8388608", "8388607")
		}
	case "int":
		if c.Type = "integer"; unsigned {
			c.Type = "bigint"
			between("0", "4294967295")
		}
	case "bigint":
		if c.Type = "bigint"; unsigned {
			c.Checks = append(c.Checks, "(VALUE >= 0)")
		}
	case "year":
		c.Type = "smallint"
		between("1901", "2155")
	case "decimal":
		if c.Type, c.Size, c.Scale = "numeric", precision, scale; unsigned {
			c.Checks = append(c.Checks, "(VALUE >= 0)")
		}
	case "float", "double":
		c.Type = "double precision"
	case "varchar":
		c.Type, c.Size = "character varying", length
	case "char":
		c.Type, c.Size = "character", length
	case "tinytext":
		c.Type, c.Size = "text", 63 // bytes, of which a character has up to four
	case "text":
		c.Type, c.Size = "text", 16383
	case "mediumtext", "longtext":
		c.Type = "text"
	case "date":
		c.Type = "date"
	case "datetime", "timestamp":
		c.Type = "timestamp without time zone"
	case "time":
		c.Type = "time without time zone"
	case "json":
		c.Type = "json"
	case "uuid":
		c.Type = "uuid"
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		c.Type = "bytea"
	case "enum":
		c.Type = "enum"
		for _, m := range values.FindAllStringSubmatch(whole, -1) {
			c.Enum = append(c.Enum, strings.ReplaceAll(m[1], "''", "'"))
		}
	case "set", "inet4", "inet6":
		c.Type = kind
	default:
		c.Type = strings.ToUpper(kind) // binary, as answers cannot have it
	}
}

func (r *mysqlReader) checks(c *adopt.Catalog) error {
	query := `SELECT t.table_name, k.check_clause FROM information_schema.check_constraints k
		JOIN information_schema.table_constraints t ON t.constraint_schema = k.constraint_schema AND t.constraint_name = k.constraint_name AND t.constraint_type = 'CHECK'
		WHERE k.constraint_schema = database() AND t.enforced = 'YES' ORDER BY 1, 2`
	if r.mariadb {
		query = `SELECT table_name, check_clause FROM information_schema.check_constraints WHERE constraint_schema = database() ORDER BY 1, 2`
	}
	return r.rows(query, func(scan func(...any) error) error {
		var table, check string
		if err := scan(&table, &check); err != nil {
			return err
		}
		check = strings.ReplaceAll(check, "`", `"`)
		t := find(c, table)
		if m := jsonValid.FindStringSubmatch(check); m != nil { // MariaDB's json
			for i := range t.Columns {
				if t.Columns[i].Name == m[1] {
					t.Columns[i].Type = "json"
					return nil
				}
			}
		}
		t.Checks = append(t.Checks, "("+check+")")
		return nil
	})
}

var jsonValid = regexp.MustCompile(`^\(?json_valid\("([^"]+)"\)\)?$`)

func (r *mysqlReader) keys(c *adopt.Catalog) error {
	last := ""
	return r.rows(`SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema = database(), k.referenced_table_schema, k.referenced_table_name, k.referenced_column_name, f.delete_rule
		FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints f
		ON f.constraint_schema = k.constraint_schema AND f.constraint_name = k.constraint_name AND f.table_name = k.table_name
		WHERE k.table_schema = database() AND k.referenced_table_name IS NOT NULL ORDER BY k.table_name, k.constraint_name, k.ordinal_position`, func(scan func(...any) error) error {
		var table, name, column, schema, other, target, action string
		var here bool
		if err := scan(&table, &name, &column, &here, &schema, &other, &target, &action); err != nil {
			return err
		}
		if !here {
			other = schema + "." + other
		}
		t := find(c, table)
		if table+"."+name != last {
			t.Refs, last = append(t.Refs, adopt.Ref{Table: other, OnDelete: actions[action]}), table+"."+name
		}
		ref := &t.Refs[len(t.Refs)-1]
		ref.Columns, ref.Targets = append(ref.Columns, column), append(ref.Targets, target)
		return nil
	})
}

func (r *mysqlReader) indexes(c *adopt.Catalog) error {
	var columns []string
	last, table, unique := "", "", false
	end := func() {
		t := find(c, table)
		switch {
		case len(columns) == 0:
		case strings.HasSuffix(last, ".PRIMARY"):
			t.Key = columns
			noteIndex(t, columns, false)
		default:
			noteIndex(t, columns, unique)
		}
	}
	// Of a column of which only the beginning is indexed nothing is unique.
	err := r.rows(`SELECT table_name, index_name, NOT non_unique, CASE WHEN sub_part IS NULL THEN coalesce(column_name, '') ELSE '' END FROM information_schema.statistics
		WHERE table_schema = database() AND index_type <> 'FULLTEXT' ORDER BY table_name, index_name = 'PRIMARY' DESC, index_name, seq_in_index`, func(scan func(...any) error) error {
		var of, index, column string
		var is bool
		if err := scan(&of, &index, &is, &column); err != nil {
			return err
		}
		if of+"."+index != last {
			end()
			columns, last, table, unique = nil, of+"."+index, of, is
		}
		columns = append(columns, column)
		return nil
	})
	end()
	return err
}

var (
	counter = regexp.MustCompile(` AUTO_INCREMENT=[0-9]+`)
	foreign = regexp.MustCompile("^ *CONSTRAINT (`(?:[^`]|``)+`) FOREIGN KEY .* REFERENCES (`(?:[^`]|``)+`)(\\.`(?:[^`]|``)+`)?")
	read    = regexp.MustCompile("(?i)\\b(?:from|join) \\(*(`(?:[^`]|``)+`)(\\.`(?:[^`]|``)+`)?") // a table, in a view
	definer = regexp.MustCompile("(?:ALGORITHM=[A-Z]+ )?DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` (?:SQL SECURITY DEFINER )?")
)

// show is the text of an object, as SHOW CREATE has it in one of its columns; ""
// where the user may not see it.
func (r *mysqlReader) show(kind, name, column string) (text string, err error) {
	rows, err := r.tx.QueryContext(r.ctx, "SHOW CREATE "+kind+" "+quoteMySQL(name))
	if refused := (*mysqldriver.MySQLError)(nil); errors.As(err, &refused) && refused.Number == denied {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	into := make([]any, len(names))
	cells := make([]sql.NullString, len(names))
	for i := range into {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
	}
	if at := slices.Index(names, column); at >= 0 {
		text = definer.ReplaceAllString(cells[at].String, "")
	}
	// What is written is without the database: it can be built in another.
	return strings.ReplaceAll(text, quoteMySQL(r.name)+".", ""), rows.Err()
}

// denied is the error of a command on a table that the user has no right to.
const denied = 1142

// unquoteMySQL is the name in quotes, and that of a table in another database.
func unquoteMySQL(name string) string {
	name = strings.ReplaceAll(strings.Trim(name, "`"), "`.`", ".")
	return strings.ReplaceAll(name, "``", "`")
}

func quoteMySQL(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// build writes the sequences and the tables, then what refers to others: foreign
// keys, routines, views, triggers.
func (r *mysqlReader) build(c *adopt.Catalog) error {
	var drop, foreignKeys []string
	sequences, err := r.names("SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'SEQUENCE' ORDER BY 1")
	if err != nil {
		return err
	}
	for _, name := range sequences {
		text, err := r.show("SEQUENCE", name, "Create Table")
		if err != nil {
			return err
		}
		c.Build = append(c.Build, text)
		drop = append(drop, "DROP SEQUENCE IF EXISTS "+quoteMySQL(name))
	}
	built := map[string]bool{}
	keys := map[string][]string{} // clauses of foreign keys, by table
	for i, t := range c.Tables {
		if t.View || slices.Contains(r.without, t.Name) {
			built[t.Name] = !t.View // others of the project's migrations make it
			continue
		}
		if !slices.ContainsFunc(t.Columns, func(col adopt.Column) bool { return !col.Hidden }) {
			c.Tables[i].Skip = unreadable
			continue
		}
		text, err := r.show("TABLE", t.Name, "Create Table")
		if err != nil {
			return err
		}
		if text == "" {
			c.Tables[i].Skip = "the user of DATABASE_URL may not see its definition"
			continue
		}
		var lines []string
		head, options, _ := cutLast(text, "\n)")
		for line := range strings.SplitSeq(head, "\n") {
			line = strings.TrimSuffix(line, ",")
			if foreign.MatchString(line) {
				keys[t.Name] = append(keys[t.Name], strings.TrimPrefix(line, "  "))
				continue
			}
			lines = append(lines, line)
		}
		text = lines[0] + "\n" + strings.Join(lines[1:], ",\n") + "\n)" + counter.ReplaceAllString(options, "")
		c.Build = append(c.Build, text)
		drop = append([]string{"DROP TABLE IF EXISTS " + quoteMySQL(t.Name)}, drop...)
		built[t.Name] = true
	}
	for _, t := range c.Tables {
		for _, key := range keys[t.Name] {
			m := foreign.FindStringSubmatch(key)
			if other := m[2] + m[3]; !built[unquoteMySQL(other)] {
				c.Unbuilt = append(c.Unbuilt, fmt.Sprintf("the foreign key %s of %s: it has no %s", unquoteMySQL(m[1]), t.Name, unquoteMySQL(other)))
				continue
			}
			c.Build = append(c.Build, "ALTER TABLE "+quoteMySQL(t.Name)+" ADD "+key)
			foreignKeys = append(foreignKeys, "ALTER TABLE "+quoteMySQL(t.Name)+" DROP FOREIGN KEY "+m[1])
		}
	}
	c.Drop = append(foreignKeys, drop...)
	for _, kind := range []string{"FUNCTION", "PROCEDURE"} {
		if err := r.routines(c, kind, "SELECT routine_name FROM information_schema.routines WHERE routine_schema = database() AND routine_type = '"+kind+"' ORDER BY 1"); err != nil {
			return err
		}
	}
	if err := r.views(c, built); err != nil {
		return err
	}
	var triggers []string
	for _, t := range c.Tables {
		if t.View || !built[t.Name] || slices.Contains(r.without, t.Name) {
			continue
		}
		names, err := r.names("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database() AND event_object_table = ? ORDER BY action_order, 1", t.Name)
		if err != nil {
			return err
		}
		triggers = append(triggers, names...)
	}
	for _, name := range triggers {
		if err := r.object(c, "TRIGGER", name); err != nil {
			return err
		}
	}
	events, err := r.names("SELECT event_name FROM information_schema.events WHERE event_schema = database() ORDER BY 1")
	for _, name := range events {
		c.Unbuilt = append(c.Unbuilt, "the event "+name)
	}
	return err
}

// names are the texts that a query selects.
func (r *mysqlReader) names(query string, args ...any) (names []string, err error) {
	err = r.rows(query, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	}, args...)
	return names, err
}

func (r *mysqlReader) routines(c *adopt.Catalog, kind, query string) error {
	names, err := r.names(query)
	for _, name := range names {
		if err := r.object(c, kind, name); err != nil {
			return err
		}
	}
	return err
}

// object writes a routine or a trigger, unless its text is hidden.
func (r *mysqlReader) object(c *adopt.Catalog, kind, name string) error {
	column := "Create " + strings.ToUpper(kind[:1]) + strings.ToLower(kind[1:])
	if kind == "TRIGGER" {
		column = "SQL Original Statement"
	}
	text, err := r.show(kind, name, column)
	if err != nil {
		return err
	}
	if text == "" {
		c.Unbuilt = append(c.Unbuilt, "the "+strings.ToLower(kind)+" "+name+", whose definition the user of DATABASE_URL may not see")
		return nil
	}
	c.Build = append(c.Build, text)
	if kind != "TRIGGER" {
		c.Drop = append([]string{"DROP " + kind + " IF EXISTS " + quoteMySQL(name)}, c.Drop...)
	}
	return nil
}

// views writes the views behind those that they read. One that reads what is not
// built is skipped.
func (r *mysqlReader) views(c *adopt.Catalog, built map[string]bool) error {
	texts := map[string]string{}
	for i, t := range c.Tables {
		if !t.View || slices.Contains(r.without, t.Name) {
			continue
		}
		text, err := r.show("VIEW", t.Name, "Create View")
		if err != nil {
			return err
		}
		if texts[t.Name] = text; text == "" {
			delete(texts, t.Name)
			c.Tables[i].Skip = "the user of DATABASE_URL may not see its definition"
		}
	}
	for more := true; more; {
		more = false
		for _, t := range c.Tables {
			text, waits := texts[t.Name]
			if !waits || lacks(text, built) != "" {
				continue
			}
			c.Build = append(c.Build, text)
			c.Drop = append([]string{"DROP VIEW IF EXISTS " + quoteMySQL(t.Name)}, c.Drop...)
			built[t.Name], more = true, true
			delete(texts, t.Name)
		}
	}
	for name, text := range texts {
		find(c, name).Skip = "it reads " + lacks(text, built) + ", which the baseline does not create"
	}
	return nil
}

// lacks is the first table that a view reads and that is not built.
func lacks(text string, built map[string]bool) string {
	for _, m := range read.FindAllStringSubmatch(text, -1) {
		if name := unquoteMySQL(m[1] + m[2]); !built[name] {
			return name
		}
	}
	return ""
}

// cutLast cuts a text around the last of what separates.
func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}
