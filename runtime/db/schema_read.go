package db

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"
)

// tableSchema is a table as the database reports it.
type tableSchema struct {
	columns map[string]columnSchema
	indexes map[string][]string // columns by the name of the index; "" for an expression
	unique  map[string]bool     // names of the unique indexes
	keys    map[string][]string // foreign keys: columns by name
}

// columnSchema is a column as the database reports it.
type columnSchema struct {
	Type     string
	Required bool // not nullable; false for keys and generated columns
}

// primaryIndex is the name of the index of a primary key on SQLite and MySQL.
const primaryIndex = "PRIMARY"

// schemaQueries select the tables, and in order the columns of indexes and foreign
// keys, of the connection's schema.
type schemaQueries struct{ columns, indexes, keys string }

func queriesOf(gdb *gorm.DB) (schemaQueries, error) {
	switch gdb.Name() {
	case "sqlite":
		// Virtual tables and their shadow tables are not compared.
		const tables = "pragma_table_list AS t JOIN "
		const ours = "t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
		return schemaQueries{
			columns: "SELECT t.name AS of, c.name AS name, c.type AS type, c.\"notnull\" AND c.pk = 0 AND c.hidden = 0 AS required FROM " +
				tables + "pragma_table_xinfo(t.name) AS c WHERE c.hidden <> 1 AND " + ours,
			indexes: "SELECT t.name AS of, i.name AS name, coalesce(c.name, '') AS \"column\", i.\"unique\" AS is_unique, c.seqno AS n FROM " +
				tables + "pragma_index_list(t.name) AS i JOIN pragma_index_info(i.name) AS c WHERE " + ours +
				" UNION ALL SELECT t.name, '" + primaryIndex + "', c.name, 1, c.pk FROM " + tables + "pragma_table_info(t.name) AS c WHERE c.pk > 0 AND " + ours +
				" ORDER BY 1, 2, 5",
			keys: "SELECT t.name AS of, 'key ' || k.id AS name, k.\"from\" AS \"column\" FROM " +
				tables + "pragma_foreign_key_list(t.name) AS k WHERE " + ours + " ORDER BY t.name, k.id, k.seq",
		}, nil
	case "postgres":
		return schemaQueries{
			columns: `SELECT c.table_name AS of, c.column_name AS name, c.data_type AS type, c.is_nullable = 'NO' AND c.is_generated = 'NEVER' AND p.attnum IS NULL AS required
				FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
				LEFT JOIN (SELECT x.indrelid, unnest(x.indkey::int2[]) AS attnum FROM pg_index x WHERE x.indisprimary) p
				ON p.indrelid = to_regclass(quote_ident(c.table_name)) AND p.attnum = c.ordinal_position
				WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'`,
			// An index that CREATE INDEX CONCURRENTLY left invalid does not count.
			indexes: `SELECT t.relname AS of, i.relname AS name, coalesce(a.attname, '') AS "column", x.indisunique AS is_unique
				FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
				JOIN pg_namespace s ON s.oid = t.relnamespace AND s.nspname = current_schema()
				CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
				LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum AND k.attnum > 0
				WHERE x.indisvalid ORDER BY t.relname, i.relname, k.n`,
			keys: `SELECT t.relname AS of, f.conname AS name, a.attname AS "column"
				FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid
				JOIN pg_namespace s ON s.oid = t.relnamespace AND s.nspname = current_schema()
				CROSS JOIN LATERAL unnest(f.conkey) WITH ORDINALITY AS k(attnum, n)
				JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
				WHERE f.contype = 'f' ORDER BY t.relname, f.conname, k.n`,
		}, nil
	case "mysql":
		return schemaQueries{
			columns: "SELECT c.table_name AS `of`, c.column_name AS name, c.data_type AS type, c.is_nullable = 'NO' AND c.column_key <> 'PRI' AND coalesce(c.generation_expression, '') = '' AS required " +
				"FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name " +
				"WHERE c.table_schema = database() AND t.table_type = 'BASE TABLE'",
			indexes: "SELECT table_name AS `of`, index_name AS name, coalesce(column_name, '') AS `column`, non_unique = 0 AS is_unique " +
				"FROM information_schema.statistics WHERE table_schema = database() ORDER BY table_name, index_name, seq_in_index",
			keys: "SELECT table_name AS `of`, constraint_name AS name, column_name AS `column` FROM information_schema.key_column_usage " +
				"WHERE table_schema = database() AND referenced_table_name IS NOT NULL ORDER BY table_name, constraint_name, ordinal_position",
		}, nil
	}
	return schemaQueries{}, fmt.Errorf("no schema of %s", gdb.Name())
}

// readSchema returns every table except schema_migrations.
func readSchema(gdb *gorm.DB) (map[string]tableSchema, error) {
	q, err := queriesOf(gdb)
	if err != nil {
		return nil, err
	}
	tables := map[string]tableSchema{}
	var columns []struct {
		Of, Name, Type string
		Required       bool
	}
	if err := gdb.Raw(q.columns).Scan(&columns).Error; err != nil {
		return nil, err
	}
	for _, c := range columns {
		if tables[c.Of].columns == nil {
			tables[c.Of] = tableSchema{map[string]columnSchema{}, map[string][]string{}, map[string]bool{}, map[string][]string{}}
		}
		tables[c.Of].columns[c.Name] = columnSchema{c.Type, c.Required}
	}
	type part struct {
		Of, Name, Column string
		IsUnique         bool // of an index
	}
	for query, into := range map[string]func(tableSchema) map[string][]string{
		q.indexes: func(t tableSchema) map[string][]string { return t.indexes },
		q.keys:    func(t tableSchema) map[string][]string { return t.keys },
	} {
		var parts []part
		if err := gdb.Raw(query).Scan(&parts).Error; err != nil {
			return nil, err
		}
		for _, p := range parts {
			if t, known := tables[p.Of]; known {
				in := into(t)
				in[p.Name] = append(in[p.Name], p.Column)
				if p.IsUnique {
					t.unique[p.Name] = true
				}
			}
		}
	}
	delete(tables, "schema_migrations")
	return tables, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
