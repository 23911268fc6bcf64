package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/nexios-go/nexios/scaffold/adopt"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// openSQLite opens an existing file.
func openSQLite(o Options, parameters url.Values) (*sql.DB, error) {
	_, path, _ := strings.Cut(o.URL, ":")
	if path = strings.TrimPrefix(path, "//"); !filepath.IsAbs(path) {
		path = filepath.Join(o.Dir, path)
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return nil, &problem.Error{Kind: problem.Failure, What: "there is no database file", Where: path, Try: "check the file's name in DATABASE_URL"}
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?"+parameters.Encode())
}

func readSQLite(ctx context.Context, o Options) (c adopt.Catalog, err error) {
	pool, err := openSQLite(o, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(1)"}})
	if err != nil {
		return c, err
	}
	defer pool.Close()
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return c, err
	}
	defer tx.Rollback()
	r := sqliteReader{sqlReader{ctx, tx}, o.Without}
	for _, step := range []func(*adopt.Catalog) error{r.tables, r.columns, r.keys, r.indexes, r.build} {
		if err := step(&c); err != nil {
			return c, err
		}
	}
	if len(c.Tables) == 0 {
		return c, &problem.Error{Kind: problem.Failure, What: "the database has no tables", Where: "DATABASE_URL", Try: "check the file's name in DATABASE_URL"}
	}
	return c, nil
}

func markSQLite(ctx context.Context, o Options, migration string, at time.Time) error {
	pool, err := openSQLite(o, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(5000)"}, "_txlock": {"immediate"}, "_time_format": {"sqlite"}})
	if err != nil {
		return err
	}
	defer pool.Close()
	return mark(ctx, pool, "CREATE TABLE IF NOT EXISTS schema_migrations (id varchar(191), applied_at datetime NOT NULL, PRIMARY KEY (id))",
		"INSERT OR IGNORE INTO schema_migrations (id, applied_at) VALUES (?, ?)", migration, at)
}

// mark creates the table of migrations, like the runtime's migrations, and inserts a
// row.
func mark(ctx context.Context, pool *sql.DB, table, row, migration string, at time.Time) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, table); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, row, migration, at); err != nil {
		return err
	}
	return tx.Commit()
}

// sqlReader reads rows in a transaction.
type sqlReader struct {
	ctx context.Context
	tx  *sql.Tx
}

// rows calls each for every row of a query, with the function that scans it.
func (r sqlReader) rows(query string, each func(scan func(...any) error) error, args ...any) error {
	rows, err := r.tx.QueryContext(r.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

type sqliteReader struct {
	sqlReader
	without []string
}

func (r sqliteReader) tables(c *adopt.Catalog) error {
	return r.rows(`SELECT l.name, l.type, coalesce(m.sql, '') FROM pragma_table_list l LEFT JOIN sqlite_master m ON m.name = l.name AND m.type = 'table'
		WHERE l.schema = 'main' AND l.type <> 'shadow' AND l.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY l.name`, func(scan func(...any) error) error {
		var t adopt.Table
		var kind, text string
		if err := scan(&t.Name, &kind, &text); err != nil {
			return err
		}
		switch {
		case t.Name == migrationsTable:
			return nil
		case slices.Contains(r.without, t.Name):
			t.Skip = skipMigrated
		case kind == "virtual":
			t.Skip = "it is a virtual table"
		}
		t.View = kind == "view"
		t.Checks = checksOf(text)
		c.Tables = append(c.Tables, t)
		return nil
	})
}

// each calls do for every table that can be served.
func each(c *adopt.Catalog, do func(*adopt.Table) error) error {
	for i := range c.Tables {
		if c.Tables[i].Skip != "" {
			continue
		}
		if err := do(&c.Tables[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r sqliteReader) columns(c *adopt.Catalog) error {
	return each(c, func(t *adopt.Table) error {
		parts := map[int]string{} // columns of the key by position
		integerColumn := ""
		err := r.rows(`SELECT name, type, "notnull", coalesce(dflt_value, ''), pk, hidden FROM pragma_table_xinfo(?)`, func(scan func(...any) error) error {
			var col adopt.Column
			var kind string
			var required bool
			var part, hidden int
			if err := scan(&col.Name, &kind, &required, &col.Default, &part, &hidden); err != nil || hidden == 1 {
				return err
			}
			sqliteType(&col, kind)
			col.Null, col.Always = !required, hidden == 2 || hidden == 3
			if part > 0 {
				parts[part] = col.Name
				if strings.EqualFold(kind, "integer") {
					integerColumn = col.Name
				}
			}
			t.Columns = append(t.Columns, col)
			return nil
		}, t.Name)
		if err != nil {
			return err
		}
		for i := 1; i <= len(parts); i++ {
			t.Key = append(t.Key, parts[i])
		}
		var rowid bool
		if err := r.tx.QueryRowContext(r.ctx, "SELECT NOT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", t.Name).Scan(&rowid); err != nil {
			return err
		}
		for i, col := range t.Columns {
			if len(parts) == 1 && rowid && col.Name == integerColumn {
				t.Columns[i].Identity, t.Columns[i].Null = true, false
			}
		}
		return nil
	})
}

var sized = regexp.MustCompile(`^([^(]*)(?:\( *([0-9]+) *(?:, *([0-9]+) *)?\))?`)

// sqliteType sets the type of a declaration, by SQLite's rules and by the usual meaning
// of type names.
func sqliteType(c *adopt.Column, declared string) {
	m := sized.FindStringSubmatch(strings.ToLower(declared))
	name := strings.TrimSpace(m[1])
	size, _ := strconv.Atoi(m[2])
	scale, _ := strconv.Atoi(m[3])
	switch {
	case name == "boolean" || name == "bool" || name == "tinyint" && size == 1 || name == "bit" && size <= 1:
		c.Type = "boolean"
		c.Default = map[string]string{"0": "false", "1": "true"}[c.Default]
	case strings.Contains(name, "int"):
		c.Type = "bigint"
	case name == "date":
		c.Type = "date"
	case name == "datetime" || strings.HasPrefix(name, "timestamp"):
		c.Type = "timestamp without time zone"
	case name == "time":
		c.Type = "time without time zone"
	case name == "json" || name == "jsonb" && size == 0:
		c.Type = "json"
	case name == "uuid":
		c.Type = "uuid"
	case strings.Contains(name, "char"):
		c.Type, c.Size = "character varying", size
		if size == 0 {
			c.Type = "text"
		}
	case strings.Contains(name, "text") || strings.Contains(name, "clob") || name == "string":
		c.Type = "text"
	case strings.Contains(name, "blob") || name == "binary" || name == "varbinary":
		c.Type = "bytea"
	case (name == "decimal" || name == "numeric" || name == "number") && size > 0 && size <= 15:
		c.Type, c.Size, c.Scale = "numeric", size, scale
	case strings.Contains(name, "real") || strings.Contains(name, "floa") || strings.Contains(name, "doub") || name == "decimal" || name == "numeric" || name == "number":
		c.Type = "double precision"
	default:
		c.Type = "any"
	}
}

func (r sqliteReader) keys(c *adopt.Catalog) error {
	return each(c, func(t *adopt.Table) error {
		last := -1
		return r.rows(`SELECT id, "table", "from", coalesce("to", ''), on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq`, func(scan func(...any) error) error {
			var id int
			var other, from, to, action string
			if err := scan(&id, &other, &from, &to, &action); err != nil {
				return err
			}
			for _, o := range c.Tables {
				if strings.EqualFold(o.Name, other) {
					other = o.Name
				}
			}
			if id != last {
				t.Refs, last = append(t.Refs, adopt.Ref{Table: other, OnDelete: actions[action]}), id
			}
			ref := &t.Refs[len(t.Refs)-1]
			if key := find(c, other).Key; to == "" && len(ref.Targets) < len(key) { // the primary key is implied
				to = key[len(ref.Targets)]
			}
			ref.Columns, ref.Targets = append(ref.Columns, declaredName(t, from)), append(ref.Targets, declaredName(find(c, other), to))
			return nil
		}, t.Name)
	})
}

// declaredName returns the name of a column as declared: SQLite ignores case.
func declaredName(t *adopt.Table, name string) string {
	for _, c := range t.Columns {
		if strings.EqualFold(c.Name, name) {
			return c.Name
		}
	}
	return name
}

func (r sqliteReader) indexes(c *adopt.Catalog) error {
	return each(c, func(t *adopt.Table) error {
		var columns []string
		last, unique := "", false
		end := func() {
			if len(columns) == 0 {
				return
			}
			addIndex(t, columns, unique)
		}
		err := r.rows(`SELECT l.name, l."unique" AND NOT l.partial, coalesce(i.name, '') FROM pragma_index_list(?) l, pragma_index_info(l.name) i ORDER BY l.seq, i.seqno`, func(scan func(...any) error) error {
			var index, column string
			var isUnique bool
			if err := scan(&index, &isUnique, &column); err != nil {
				return err
			}
			if index != last {
				end()
				columns, last, unique = nil, index, isUnique
			}
			columns = append(columns, column)
			return nil
		}, t.Name)
		end()
		return err
	})
}

// addIndex records an index of a table. An expression is recorded as the column "".
func addIndex(t *adopt.Table, columns []string, unique bool) {
	if columns[0] != "" && !slices.Contains(t.Indexed, columns[0]) {
		t.Indexed = append(t.Indexed, columns[0])
	}
	if unique && !slices.Contains(columns, "") && !slices.Equal(columns, t.Key) &&
		!slices.ContainsFunc(t.Uniques, func(u []string) bool { return slices.Equal(u, columns) }) {
		t.Uniques = append(t.Uniques, columns)
	}
}

func (r sqliteReader) build(c *adopt.Catalog) error {
	var drop []string
	err := r.rows(`SELECT m.type, m.name, m.tbl_name, m.sql FROM sqlite_master m LEFT JOIN pragma_table_list l ON l.schema = 'main' AND l.name = m.name
		WHERE m.sql IS NOT NULL AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND coalesce(l.type, '') <> 'shadow'
		ORDER BY m.type = 'trigger', m.type = 'view', m.type = 'index', m.rowid`, func(scan func(...any) error) error {
		var kind, name, table, text string
		if err := scan(&kind, &name, &table, &text); err != nil || slices.Contains(r.without, table) {
			return err
		}
		c.Build = append(c.Build, text)
		if kind == "table" || kind == "view" {
			drop = append(drop, fmt.Sprintf("DROP %s IF EXISTS %s", strings.ToUpper(kind), quoteSQLite(name)))
		}
		return nil
	})
	slices.Reverse(drop)
	c.Drop = drop
	return err
}

func quoteSQLite(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// checksOf returns the CHECK expressions in a CREATE TABLE statement.
func checksOf(text string) []string {
	var checks []string
	word := ""
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`' || c == '[':
			i = closingQuote(text, i)
			word = ""
		case strings.HasPrefix(text[i:], "--"):
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case strings.HasPrefix(text[i:], "/*"):
			if end := strings.Index(text[i:], "*/"); end >= 0 {
				i += end + 1
			}
		case c == '(' && strings.EqualFold(word, "check"):
			end := closingParen(text, i)
			checks = append(checks, text[i:min(end+1, len(text))])
			i, word = end, ""
		case c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
			if i == 0 || !strings.ContainsRune(" \t\r\n,()", rune(text[i-1])) {
				word += string(c)
			} else {
				word = string(c)
			}
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		default:
			word = ""
		}
	}
	return checks
}

// closingQuote returns the index of the closing quote for the quote at i.
func closingQuote(text string, i int) int {
	end := text[i]
	if end == '[' {
		end = ']'
	}
	for i++; i < len(text) && text[i] != end; i++ {
	}
	return i
}

// closingParen returns the index of the closing parenthesis for the one at i.
func closingParen(text string, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '\'', '"', '`', '[':
			i = closingQuote(text, i)
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}
