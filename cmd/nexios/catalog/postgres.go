package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nexios-go/nexios/scaffold/adopt"
	"github.com/nexios-go/nexios/scaffold/problem"
)

func readPostgres(ctx context.Context, o Options) (_ adopt.Catalog, err error) {
	conn, err := connectPostgres(ctx, o.URL)
	if err != nil {
		return adopt.Catalog{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return adopt.Catalog{}, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	r := postgres{ctx: ctx, tx: tx, schema: o.Schema, without: o.Without}
	return r.read()
}

func markPostgres(ctx context.Context, o Options, migration string, at time.Time) error {
	conn, err := connectPostgres(ctx, o.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if o.Schema != "" {
			if _, err := tx.Exec(ctx, "SET LOCAL search_path TO "+pgx.Identifier{o.Schema}.Sanitize()); err != nil {
				return err
			}
		}
		// Same as in the runtime's migrations.
		_, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (id varchar(191), applied_at timestamptz NOT NULL, PRIMARY KEY (id))`)
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO schema_migrations (id, applied_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, migration, at)
		}
		return err
	})
}

func connectPostgres(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, invalidURL("PostgreSQL")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		return conn, nil
	}
	where := fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) {
		return nil, &problem.Error{
			Kind: problem.Failure, What: "the database refused the connection: " + pgErr.Message, Where: where,
			Try: "check the user, the password and the name in DATABASE_URL",
		}
	}
	return nil, unreachable(where, err)
}

// postgres reads one schema.
type postgres struct {
	ctx    context.Context
	tx     pgx.Tx
	schema string
	// without are tables that the baseline does not create, because other migrations of
	// the project do.
	without []string
}

// rows calls each for every row of a query, with the schema as $1 and the excluded
// tables as $2.
func (r *postgres) rows(query string, each func(pgx.Rows) error) error {
	args := []any{r.schema}
	if strings.Contains(query, "$2") {
		args = append(args, r.without)
	}
	rows, err := r.tx.Query(r.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// texts returns the values of queries with one text column.
func (r *postgres) texts(queries ...string) ([]string, error) {
	var list []string
	for _, query := range queries {
		err := r.rows(query, func(rows pgx.Rows) error {
			var text string
			err := rows.Scan(&text)
			list = append(list, text)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *postgres) read() (adopt.Catalog, error) {
	var c adopt.Catalog
	var current string
	if err := r.tx.QueryRow(r.ctx, "SELECT coalesce(current_schema(), 'public')").Scan(&current); err != nil {
		return c, err
	}
	if r.schema == "" {
		r.schema = current
	}
	if r.schema != current {
		c.Setting = "?search_path=" + url.QueryEscape(r.schema)
	}
	var exists bool
	if err := r.tx.QueryRow(r.ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", r.schema).Scan(&exists); err != nil {
		return c, err
	}
	if !exists {
		return c, &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("the database has no schema %q", r.schema), Where: "--schema", Try: "psql -c '\\dn'"}
	}
	// With this search path the database omits the schema from definitions, so that
	// they can be created in another one.
	if _, err := r.tx.Exec(r.ctx, "SET LOCAL search_path TO "+pgx.Identifier{r.schema}.Sanitize()); err != nil {
		return c, err
	}
	steps := []func(*adopt.Catalog) error{r.tables, r.external, r.columns, r.constraints, r.indexes, r.build}
	for _, step := range steps {
		if err := step(&c); err != nil {
			return c, err
		}
	}
	if len(c.Tables) == 0 {
		return c, r.empty()
	}
	return c, nil
}

// empty returns the error for a schema without tables, which names schemas that have
// some.
func (r *postgres) empty() error {
	u := &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("the schema %q has no tables", r.schema), Where: "DATABASE_URL", Try: "check the name of the database in DATABASE_URL"}
	others, err := r.texts(`SELECT DISTINCT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname <> $1 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1`)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		u.What += ", and " + strings.Join(others, ", ") + " has some"
		u.Try = "nexios adopt --all --schema " + others[0]
	}
	return u
}

const tables = `SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''), c.relkind::text, c.relispartition,
	has_any_column_privilege(c.oid, 'SELECT'), has_any_column_privilege(c.oid, 'INSERT') AND has_any_column_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relname`

func (r *postgres) tables(c *adopt.Catalog) error {
	return r.rows(tables, func(rows pgx.Rows) error {
		var t adopt.Table
		var kind string
		var part, read, write bool
		if err := rows.Scan(&t.Name, &t.Comment, &kind, &part, &read, &write); err != nil {
			return err
		}
		t.View = kind == "v" || kind == "m"
		t.ReadOnly = !write && !t.View
		switch {
		case t.Name == "schema_migrations":
			return nil
		case slices.Contains(r.without, t.Name):
			t.Skip = skipMigrated
		case part:
			t.Skip = "it is a partition: its rows are served with the partitioned table"
		case kind == "f":
			t.Skip = "it is a foreign table"
		case !read:
			t.Skip = skipUnreadable
		}
		c.Tables = append(c.Tables, t)
		return nil
	})
}

// external selects views that read something the baseline does not create, directly or
// through other views.
const external = `WITH RECURSIVE reads AS (
		SELECT v.oid AS view, d.refobjid AS rel FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace JOIN pg_rewrite w ON w.ev_class = v.oid JOIN pg_depend d ON d.objid = w.oid
		WHERE n.nspname = $1 AND v.relkind IN ('v', 'm') AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
		UNION SELECT r.view, d.refobjid FROM reads r JOIN pg_class v ON v.oid = r.rel AND v.relkind IN ('v', 'm') JOIN pg_rewrite w ON w.ev_class = v.oid JOIN pg_depend d ON d.objid = w.oid
		WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid)
	SELECT v.relname::text, min(CASE WHEN n.nspname = $1 THEN '' ELSE n.nspname || '.' END || o.relname)
	FROM reads r JOIN pg_class v ON v.oid = r.view JOIN pg_class o ON o.oid = r.rel JOIN pg_namespace n ON n.oid = o.relnamespace
	WHERE o.relkind = 'f' OR n.nspname NOT IN ($1, 'pg_catalog', 'information_schema') GROUP BY v.relname`

func (r *postgres) external(c *adopt.Catalog) error {
	return r.rows(external, func(rows pgx.Rows) error {
		var view, other string
		if err := rows.Scan(&view, &other); err != nil {
			return err
		}
		if t := find(c, view); t.Skip == "" {
			t.Skip = "it reads " + other + ", which the baseline does not create"
		}
		r.without = append(r.without, view)
		return nil
	})
}

// columns reads domains as their base types and arrays as their element types.
const columns = `SELECT c.relname, a.attname, coalesce(col_description(c.oid, a.attnum), ''),
	format_type(b.oid, NULL), CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
	coalesce(e.oid, 0) <> 0, NOT a.attnotnull AND NOT t.typnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), t.typdefault, ''),
	a.attgenerated <> '', a.attidentity <> '',
	coalesce((SELECT array_agg(v.enumlabel::text ORDER BY v.enumsortorder) FROM pg_enum v WHERE v.enumtypid = b.oid), '{}'),
	CASE WHEN t.typtype = 'd' THEN t.typname::text ELSE '' END,
	coalesce((SELECT array_agg(pg_get_constraintdef(k.oid, false)) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '{}'),
	NOT has_column_privilege(c.oid, a.attnum, 'SELECT')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	JOIN pg_type t ON t.oid = a.atttypid
	LEFT JOIN pg_type u ON u.oid = t.typbasetype AND t.typtype = 'd'
	LEFT JOIN pg_type e ON e.oid = coalesce(u.typelem, t.typelem) AND coalesce(u.typcategory, t.typcategory) = 'A'
	JOIN pg_type b ON b.oid = coalesce(e.oid, u.oid, t.oid)
	LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY c.relname, a.attnum`

func (r *postgres) columns(c *adopt.Catalog) error {
	return r.rows(columns, func(rows pgx.Rows) error {
		var table string
		var modifier int
		var col adopt.Column
		err := rows.Scan(&table, &col.Name, &col.Comment, &col.Type, &modifier, &col.Array, &col.Null, &col.Default,
			&col.Always, &col.Identity, &col.Enum, &col.Domain, &col.Checks, &col.Hidden)
		if err != nil {
			return err
		}
		switch {
		case modifier < 4:
		case col.Type == "numeric":
			col.Size, col.Scale = (modifier-4)>>16&0xffff, ((modifier-4)&0x7ff^0x400)-0x400 // the scale is a signed number of 11 bits
		case col.Type == "character varying" || col.Type == "character":
			col.Size = modifier - 4
		}
		for i, check := range col.Checks {
			col.Checks[i] = strings.TrimPrefix(check, "CHECK ")
		}
		if len(col.Enum) == 0 {
			col.Enum = nil
		}
		t := find(c, table)
		t.Columns = append(t.Columns, col)
		return nil
	})
}

const constraints = `SELECT c.relname, k.contype::text, coalesce(f.relname, ''), coalesce(fn.nspname, ''), k.confdeltype::text,
	coalesce((SELECT array_agg(a.attname::text ORDER BY x.i) FROM unnest(k.conkey) WITH ORDINALITY x(n, i) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.n), '{}'),
	coalesce((SELECT array_agg(a.attname::text ORDER BY x.i) FROM unnest(k.confkey) WITH ORDINALITY x(n, i) JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum = x.n), '{}'),
	pg_get_constraintdef(k.oid, false)
	FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
	WHERE n.nspname = $1 AND k.contype IN ('p', 'u', 'f', 'c', 'x') ORDER BY c.relname, k.conname`

func (r *postgres) constraints(c *adopt.Catalog) error {
	return r.rows(constraints, func(rows pgx.Rows) error {
		var table, kind, other, otherSchema, action, text string
		var columns, targets []string
		if err := rows.Scan(&table, &kind, &other, &otherSchema, &action, &columns, &targets, &text); err != nil {
			return err
		}
		t := find(c, table)
		switch kind {
		case "p":
			t.Key = columns
		case "u":
			t.Uniques = append(t.Uniques, columns)
		case "f":
			if otherSchema != r.schema {
				other = otherSchema + "." + other
			}
			t.Refs = append(t.Refs, adopt.Ref{
				Columns: columns, Table: other, Targets: targets,
				OnDelete: map[string]string{"c": "cascade", "n": "null", "a": "restrict", "r": "restrict"}[action],
			})
		case "c":
			t.Checks = append(t.Checks, strings.TrimSuffix(strings.TrimPrefix(text, "CHECK "), " NOT VALID"))
		case "x":
			t.Checks = append(t.Checks, text)
		}
		return nil
	})
}

const indexes = `SELECT c.relname, i.indisunique AND i.indpred IS NULL,
	(SELECT array_agg(coalesce(b.attname::text, '') ORDER BY x.i) FROM unnest(i.indkey::int2[]) WITH ORDINALITY x(n, i) LEFT JOIN pg_attribute b ON b.attrelid = c.oid AND b.attnum = x.n)
	FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
	WHERE n.nspname = $1 AND i.indisvalid AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum, i.indexrelid`

func (r *postgres) indexes(c *adopt.Catalog) error {
	return r.rows(indexes, func(rows pgx.Rows) error {
		var table string
		var unique bool
		var all []string
		if err := rows.Scan(&table, &unique, &all); err != nil {
			return err
		}
		addIndex(find(c, table), all, unique)
		return nil
	})
}

// build writes the statements that recreate the schema. Each query returns one text per
// row, in an order in which they can be executed.
func (r *postgres) build(c *adopt.Catalog) (err error) {
	const ext = ` AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = %s.oid AND x.deptype = 'e')`
	not := func(of string) string { return fmt.Sprintf(ext, of) }
	own := `quote_ident(n.nspname) || '.'`
	c.Build, err = r.texts([]string{
		`SELECT 'SET LOCAL check_function_bodies = off' WHERE $1 <> '' AND EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1)`,
		`SELECT 'CREATE TYPE ' || quote_ident(t.typname) || ' AS ENUM (' || (SELECT string_agg(quote_literal(v.enumlabel), ', ' ORDER BY v.enumsortorder) FROM pg_enum v WHERE v.enumtypid = t.oid) || ')'
			FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typtype = 'e'` + not("t") + ` ORDER BY t.typname`,
		`SELECT 'CREATE TYPE ' || quote_ident(t.typname) || ' AS (' || (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) || ')'
			FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_class c ON c.oid = t.typrelid WHERE n.nspname = $1 AND t.typtype = 'c' AND c.relkind = 'c'` + not("t") + ` ORDER BY t.oid`,
		`SELECT 'CREATE DOMAIN ' || quote_ident(t.typname) || ' AS ' || format_type(t.typbasetype, t.typtypmod) || coalesce(' DEFAULT ' || t.typdefault, '') ||
			CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END || coalesce((SELECT string_agg(' CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), '' ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
			FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typtype = 'd'` + not("t") + ` ORDER BY t.oid`,
		`SELECT 'CREATE SEQUENCE ' || quote_ident(c.relname) || ' AS ' || format_type(s.seqtypid, NULL) || ' INCREMENT ' || s.seqincrement || ' MINVALUE ' || s.seqmin || ' MAXVALUE ' || s.seqmax || ' START ' || s.seqstart
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
			WHERE n.nspname = $1 AND c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d LEFT JOIN pg_class q ON q.oid = d.refobjid WHERE d.objid = c.oid AND (d.deptype = 'i' OR d.deptype = 'a' AND q.relname = ANY ($2)))` + not("c") + ` ORDER BY c.relname`,
		// Aggregates have no definition; functions that use table rows follow after the
		// tables.
		`SELECT replace(pg_get_functiondef(p.oid), ` + own + `, '') FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE n.nspname = $1 AND p.prokind IN ('f', 'p') AND NOT ` + ofTables + not("p") + ` ORDER BY p.oid`,
		`SELECT CASE WHEN c.relispartition THEN 'CREATE TABLE ' || quote_ident(c.relname) || ' PARTITION OF ' || (SELECT quote_ident(q.relname) FROM pg_inherits h JOIN pg_class q ON q.oid = h.inhparent WHERE h.inhrelid = c.oid) || ' ' || pg_get_expr(c.relpartbound, c.oid)
			ELSE 'CREATE TABLE ' || quote_ident(c.relname) || E' (\n\t' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) ||
				CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation THEN (SELECT ' COLLATE ' || quote_ident(o.collname) FROM pg_collation o WHERE o.oid = a.attcollation) ELSE '' END ||
				CASE WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') STORED'
					WHEN a.attidentity <> '' THEN ' GENERATED BY DEFAULT AS IDENTITY' || coalesce((SELECT ' (INCREMENT ' || s.seqincrement || ' MINVALUE ' || s.seqmin || ' MAXVALUE ' || s.seqmax || ' START ' || s.seqstart || ')'
						FROM pg_depend i JOIN pg_sequence s ON s.seqrelid = i.objid WHERE i.refobjid = c.oid AND i.refobjsubid = a.attnum AND i.deptype = 'i' AND i.classid = 'pg_class'::regclass AND (s.seqincrement <> 1 OR s.seqstart <> 1)), '')
					WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END ||
				CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, E',\n\t' ORDER BY a.attnum)
				FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
				WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attislocal), '') || E'\n)' ||
				coalesce((SELECT ' INHERITS (' || string_agg(quote_ident(q.relname), ', ' ORDER BY h.inhseqno) || ')' FROM pg_inherits h JOIN pg_class q ON q.oid = h.inhparent WHERE h.inhrelid = c.oid), '') ||
				CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END END
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($2)` + not("c") + ` ORDER BY ` + depth("pg_inherits", "inhrelid", "inhparent") + `, c.oid`,
		`SELECT 'ALTER SEQUENCE ' || quote_ident(c.relname) || ' OWNED BY ' || quote_ident(t.relname) || '.' || quote_ident(a.attname)
			FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_class t ON t.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
			JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND t.relname <> ALL ($2) AND d.deptype = 'a' AND d.classid = 'pg_class'::regclass ORDER BY c.relname`,
		`SELECT 'ALTER TABLE ' || quote_ident(c.relname) || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid)
			FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conislocal AND NOT c.relispartition AND c.relkind IN ('r', 'p')
			AND (k.contype <> 'f' OR EXISTS (SELECT FROM pg_class q WHERE q.oid = k.confrelid AND q.relnamespace = n.oid AND q.relkind <> 'f'))
			AND k.conparentid = 0 AND c.relname <> ALL ($2) ORDER BY k.contype = 'f', k.contype = 'c', k.oid`,
		`SELECT pg_get_indexdef(i.indexrelid, 0, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			AND c.relname <> ALL ($2) ORDER BY i.indexrelid`,
		`SELECT replace(pg_get_functiondef(p.oid), ` + own + `, '') FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE n.nspname = $1 AND p.prokind IN ('f', 'p') AND ` + ofTables + not("p") + ` ORDER BY p.oid`,
		`SELECT CASE c.relkind WHEN 'm' THEN 'CREATE MATERIALIZED VIEW ' ELSE 'CREATE VIEW ' END || quote_ident(c.relname) || E' AS\n' || rtrim(pg_get_viewdef(c.oid, true), ';')
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('v', 'm') AND c.relname <> ALL ($2)` + not("c") + ` ORDER BY ` +
			depth(`(SELECT w.ev_class, d.refobjid FROM pg_rewrite w JOIN pg_depend d ON d.objid = w.oid WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class)`, "ev_class", "refobjid") + `, c.oid`,
		`SELECT pg_get_indexdef(i.indexrelid, 0, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND c.relkind = 'm' AND c.relname <> ALL ($2) ORDER BY i.indexrelid`,
		`SELECT 'COMMENT ON ' || CASE WHEN d.objsubid > 0 THEN 'COLUMN' WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW' WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END || ' ' || quote_ident(c.relname) ||
				coalesce('.' || quote_ident(a.attname), '') || ' IS ' || quote_literal(d.description)
			FROM pg_description d JOIN pg_class c ON d.classoid = 'pg_class'::regclass AND c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace
			LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
			WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> ALL ($2)` + not("c") + ` ORDER BY c.relname, d.objsubid`,
		`SELECT pg_get_triggerdef(g.oid, true) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND c.relname <> ALL ($2) AND NOT g.tgisinternal AND g.tgparentid = 0 ORDER BY g.oid`,
	}...)
	if err != nil {
		return err
	}
	for i, statement := range c.Build {
		c.Build[i] = strings.TrimSpace(statement)
	}
	c.Drop, err = r.texts([]string{
		`SELECT 'DROP ' || CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END || ' IF EXISTS ' || quote_ident(c.relname) || ' CASCADE'
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> ALL ($2)` + not("c") + ` ORDER BY c.relkind IN ('r', 'p'), c.relname`,
		`SELECT 'DROP ROUTINE IF EXISTS ' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ') CASCADE' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
			WHERE n.nspname = $1 AND p.prokind IN ('f', 'p') AND NOT ` + ofTables + not("p") + ` ORDER BY 1`,
		`SELECT 'DROP SEQUENCE IF EXISTS ' || quote_ident(c.relname) || ' CASCADE' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d LEFT JOIN pg_class q ON q.oid = d.refobjid WHERE d.objid = c.oid AND (d.deptype = 'i' OR d.deptype = 'a' AND q.relname = ANY ($2)))` + not("c") + ` ORDER BY 1`,
		`SELECT 'DROP TYPE IF EXISTS ' || quote_ident(t.typname) || ' CASCADE' FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
			WHERE n.nspname = $1 AND (t.typtype IN ('e', 'd') OR t.typtype = 'c' AND c.relkind = 'c')` + not("t") + ` ORDER BY t.typtype = 'e', 1`,
	}...)
	if err != nil {
		return err
	}
	c.Unbuilt, err = r.texts([]string{
		`SELECT 'the extension ' || extname || ', which must be there first' FROM pg_extension WHERE extname <> 'plpgsql' AND $1 <> '' ORDER BY 1`,
		`SELECT 'the aggregate ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.prokind NOT IN ('f', 'p')` + not("p") + ` ORDER BY 1`,
		`SELECT 'the foreign key ' || k.conname || ' of ' || c.relname || ': ' || fn.nspname || '.' || f.relname || ' is in another schema'
			FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
			WHERE n.nspname = $1 AND fn.oid <> n.oid AND k.contype = 'f' AND k.conparentid = 0 AND c.relname <> ALL ($2) ORDER BY 1`,
		`SELECT DISTINCT 'the policies of ' || c.relname || ' (row level security)' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) AND c.relname <> ALL ($2) ORDER BY 1`,
		`SELECT 'the rule ' || w.rulename || ' of ' || c.relname FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND w.rulename <> '_RETURN' AND c.relname <> ALL ($2)` + not("c") + ` ORDER BY 1`,
	}...)
	return err
}

// depth counts the relations above one, which must be created before it.
func depth(table, below, above string) string {
	return fmt.Sprintf(`(WITH RECURSIVE up(o, n) AS (SELECT h.%[3]s, 1 FROM %[1]s h WHERE h.%[2]s = c.oid UNION SELECT h.%[3]s, n + 1 FROM up JOIN %[1]s h ON h.%[2]s = up.o) SELECT coalesce(max(n), 0) FROM up)`, table, below, above)
}

// ofTables is the condition that a function has table rows as parameters or result.
const ofTables = `EXISTS (SELECT FROM pg_type t WHERE t.typrelid <> 0 AND (t.oid = p.prorettype OR t.oid = ANY (p.proargtypes::oid[])) AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c'))`
