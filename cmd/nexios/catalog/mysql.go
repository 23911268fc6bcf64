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
		return nil, invalidURL("MySQL")
	}
	connector, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return nil, invalidURL("MySQL")
	}
	pool := sql.OpenDB(connector)
	if err := pool.PingContext(ctx); err != nil {
		pool.Close()
		if mysqlErr := (*mysqldriver.MySQLError)(nil); errors.As(err, &mysqlErr) {
			return nil, &problem.Error{
				Kind: problem.Failure, What: "the database refused the connection: " + mysqlErr.Message, Where: cfg.Addr,
				Try: "check the user, the password and the name in DATABASE_URL",
			}
		}
		return nil, unreachable(cfg.Addr, err)
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
			t.Skip = skipMigrated
		}
		t.View = kind == "VIEW"
		t.ReadOnly = !t.View // columns clears it if the user may write one
		c.Tables = append(c.Tables, t)
		return nil
	})
}

func (r *mysqlReader) columns(c *adopt.Catalog) error {
	return r.rows(`SELECT table_name, column_name, column_comment, data_type, column_type, coalesce(character_maximum_length, 0), coalesce(numeric_precision, 0), coalesce(numeric_scale, 0),
		is_nullable = 'YES', column_default, extra, coalesce(character_set_name, ''), coalesce(collation_name, ''), privileges
		FROM information_schema.columns WHERE table_schema = database() ORDER BY table_name, ordinal_position`, func(scan func(...any) error) error {
		var table, kind, columnType, extra, charset, collation, rights string
		var length, precision, scale int64
		var defaultExpr sql.NullString
		var col adopt.Column
		if err := scan(&table, &col.Name, &col.Comment, &kind, &columnType, &length, &precision, &scale, &col.Null, &defaultExpr, &extra, &charset, &collation, &rights); err != nil {
			return err
		}
		col.Hidden = !strings.Contains(rights, "select")
		extra = strings.ToUpper(extra)
		col.Identity = strings.Contains(extra, "AUTO_INCREMENT")
		col.Always = strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED")
		col.Default = r.defaultExpr(defaultExpr, extra)
		mysqlType(&col, kind, columnType, int(length), int(precision), int(scale))
		if col.Exact = columnType; charset != "" {
			col.Exact += " CHARACTER SET " + charset + " COLLATE " + collation
		}
		t := find(c, table)
		if t.Columns = append(t.Columns, col); strings.Contains(rights, "insert") {
			t.ReadOnly = false
		}
		return nil
	})
}

// defaultExpr returns the default of a column as an expression: MySQL reports text
// without quotes.
func (r *mysqlReader) defaultExpr(value sql.NullString, extra string) string {
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

// mysqlType sets the type of a column, in the terms of the mapper, and adds the range
// of its MySQL type as a check.
func mysqlType(c *adopt.Column, kind, columnType string, length, precision, scale int) {
	between := func(least, most string) { c.Checks = append(c.Checks, "(VALUE >= "+least+" AND VALUE <= "+most+")") }
	unsigned := strings.Contains(columnType, "unsigned")
	switch kind {
	case "tinyint":
		if strings.HasPrefix(columnType, "tinyint(1)") {
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
		c.Type, c.Size = "text", 63 // bytes; a character takes up to four
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
		for _, m := range values.FindAllStringSubmatch(columnType, -1) {
			c.Enum = append(c.Enum, strings.ReplaceAll(m[1], "''", "'"))
		}
	case "set", "inet4", "inet6":
		c.Type = kind
	default:
		c.Type = strings.ToUpper(kind) // unknown types are treated as binary: they cannot be served
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
		if m := jsonValid.FindStringSubmatch(check); m != nil { // how MariaDB stores json
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
			addIndex(t, columns, false)
		default:
			addIndex(t, columns, unique)
		}
	}
	// A unique index on a prefix does not make the column unique.
	err := r.rows(`SELECT table_name, index_name, NOT non_unique, CASE WHEN sub_part IS NULL THEN coalesce(column_name, '') ELSE '' END FROM information_schema.statistics
		WHERE table_schema = database() AND index_type <> 'FULLTEXT' ORDER BY table_name, index_name = 'PRIMARY' DESC, index_name, seq_in_index`, func(scan func(...any) error) error {
		var of, index, column string
		var isUnique bool
		if err := scan(&of, &index, &isUnique, &column); err != nil {
			return err
		}
		if of+"."+index != last {
			end()
			columns, last, table, unique = nil, of+"."+index, of, isUnique
		}
		columns = append(columns, column)
		return nil
	})
	end()
	return err
}

var (
	counter    = regexp.MustCompile(` AUTO_INCREMENT=[0-9]+`)
	foreign    = regexp.MustCompile("^ *CONSTRAINT (`(?:[^`]|``)+`) FOREIGN KEY .* REFERENCES (`(?:[^`]|``)+`)(\\.`(?:[^`]|``)+`)?")
	viewSource = regexp.MustCompile("(?i)\\b(?:from|join) \\(*(`(?:[^`]|``)+`)(\\.`(?:[^`]|``)+`)?") // a table read by a view
	definer    = regexp.MustCompile("(?:ALGORITHM=[A-Z]+ )?DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` (?:SQL SECURITY DEFINER )?")
)

// show returns the definition of an object, from a column of SHOW CREATE, or "" if the
// user may not see it.
func (r *mysqlReader) show(kind, name, column string) (text string, err error) {
	rows, err := r.tx.QueryContext(r.ctx, "SHOW CREATE "+kind+" "+quoteMySQL(name))
	if mysqlErr := (*mysqldriver.MySQLError)(nil); errors.As(err, &mysqlErr) && mysqlErr.Number == denied {
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
	dest := make([]any, len(names))
	cells := make([]sql.NullString, len(names))
	for i := range dest {
		dest[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "", err
		}
	}
	if at := slices.Index(names, column); at >= 0 {
		text = definer.ReplaceAllString(cells[at].String, "")
	}
	// Without the name of the database, so that it can be created in another one.
	return strings.ReplaceAll(text, quoteMySQL(r.name)+".", ""), rows.Err()
}

// denied is the error number for a table on which the user has no privileges.
const denied = 1142

// unquoteMySQL returns a name without quotes, or database.table for one that is
// qualified.
func unquoteMySQL(name string) string {
	name = strings.ReplaceAll(strings.Trim(name, "`"), "`.`", ".")
	return strings.ReplaceAll(name, "``", "`")
}

func quoteMySQL(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// build writes the sequences and tables, then what refers to others: foreign keys,
// routines, views, triggers.
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
	keys := map[string][]string{} // foreign key clauses by table
	for i, t := range c.Tables {
		if t.View || slices.Contains(r.without, t.Name) {
			built[t.Name] = !t.View // tables of other migrations exist already
			continue
		}
		if !slices.ContainsFunc(t.Columns, func(col adopt.Column) bool { return !col.Hidden }) {
			c.Tables[i].Skip = skipUnreadable
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
		if err := r.buildObject(c, "TRIGGER", name); err != nil {
			return err
		}
	}
	events, err := r.names("SELECT event_name FROM information_schema.events WHERE event_schema = database() ORDER BY 1")
	for _, name := range events {
		c.Unbuilt = append(c.Unbuilt, "the event "+name)
	}
	return err
}

// names returns the values of a query with one text column.
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
		if err := r.buildObject(c, kind, name); err != nil {
			return err
		}
	}
	return err
}

// buildObject writes a routine or a trigger, unless its definition is hidden.
func (r *mysqlReader) buildObject(c *adopt.Catalog, kind, name string) error {
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

// views writes views after those that they read. Views that read tables outside the
// baseline are skipped.
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
			text, pending := texts[t.Name]
			if !pending || missingTable(text, built) != "" {
				continue
			}
			c.Build = append(c.Build, text)
			c.Drop = append([]string{"DROP VIEW IF EXISTS " + quoteMySQL(t.Name)}, c.Drop...)
			built[t.Name], more = true, true
			delete(texts, t.Name)
		}
	}
	for name, text := range texts {
		find(c, name).Skip = "it reads " + missingTable(text, built) + ", which the baseline does not create"
	}
	return nil
}

// missingTable returns the first table that a view reads and that is not built, or "".
func missingTable(text string, built map[string]bool) string {
	for _, m := range viewSource.FindAllStringSubmatch(text, -1) {
		if name := unquoteMySQL(m[1] + m[2]); !built[name] {
			return name
		}
	}
	return ""
}

// cutLast is strings.Cut at the last occurrence of separator.
func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}
