package db

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// retype changes the type of a column of PostgreSQL while programs use the table,
// which ALTER COLUMN would lock until all rows are rewritten: a trigger copies the
// values to a new column, which finally replaces the old one, with its indexes. It
// does nothing if no row or index would be rewritten, or if more than indexes
// depends on the column, such as a view. has reports whether the column already has
// the type.
func (c change) retype(name string) (done, has bool, err error) {
	m := c.tx.Migrator()
	field := c.is.columns[name]
	definition := m.FullDataTypeOf(field).SQL
	table, column := clause.Table{Name: c.is.table}, clause.Column{Name: name}
	next := clause.Column{Name: fmt.Sprintf("%.57s_next", name)}
	if !m.HasColumn(c.is.table, next.Name) {
		if err := run(c.tx, "ALTER TABLE ? ADD ? "+bare(definition), table, next); err != nil {
			return false, false, err
		}
	}
	var is struct{ Same, Cheap bool }
	err = c.tx.Raw(`SELECT a.attcollation = b.attcollation AND a.atttypid = b.atttypid AND a.atttypmod = b.atttypmod AS same,
		a.attcollation = b.attcollation AND a.atttypid IN ('text'::regtype, 'varchar'::regtype) AND b.atttypid IN ('text'::regtype, 'varchar'::regtype)
			AND (b.atttypmod = -1 OR a.atttypmod BETWEEN 0 AND b.atttypmod)
			AND NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_index i ON i.indexrelid = d.objid WHERE d.classid = 'pg_class'::regclass
				AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
		OR a.attacl IS NOT NULL OR EXISTS (SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
			AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid)
			AND NOT EXISTS (SELECT 1 FROM pg_attrdef f WHERE d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid AND f.adrelid = a.attrelid AND f.adnum = a.attnum))
		AS cheap FROM pg_attribute a JOIN pg_attribute b USING (attrelid) WHERE attrelid = to_regclass(quote_ident(?)) AND a.attname = ? AND b.attname = ?`,
		c.is.table, name, next.Name).Scan(&is).Error
	if err != nil {
		return false, false, err
	}
	copying := clause.Column{Name: "zz_" + next.Name} // fires after the user's triggers, by its name
	function := clause.Column{Name: fmt.Sprintf("%.20s_%.30s_next", c.is.table, name)}
	stop := func(tx *gorm.DB) error {
		if err := tx.Exec("DROP TRIGGER IF EXISTS ? ON ?", copying, table).Error; err != nil {
			return err
		}
		return tx.Exec("DROP FUNCTION IF EXISTS ?()", function).Error
	}
	if is.Same || is.Cheap {
		return false, is.Same, withBriefLock(c.tx, func(tx *gorm.DB) error {
			if err := stop(tx); err != nil {
				return err
			}
			return tx.Exec("ALTER TABLE ? DROP COLUMN ?", table, next).Error
		})
	}
	err = withBriefLock(c.tx, func(tx *gorm.DB) error {
		if err := stop(tx); err != nil {
			return err
		}
		if err := tx.Exec("CREATE FUNCTION ?() RETURNS trigger LANGUAGE plpgsql AS $copy$ BEGIN NEW.? := NEW.?; RETURN NEW; END $copy$", function, next, column).Error; err != nil {
			return err
		}
		return tx.Exec("CREATE TRIGGER ? BEFORE INSERT OR UPDATE ON ? FOR EACH ROW EXECUTE FUNCTION ?()", copying, table, function).Error
	})
	if err != nil {
		return false, false, err
	}
	err = inBatches(c.tx, c.is.table, func(tx *gorm.DB, and string, vars []any) error {
		return tx.Exec("UPDATE ? SET ? = NULL WHERE ? IS NULL AND ? IS NOT NULL"+and, append([]any{table, next, next, column}, vars...)...).Error
	})
	if err != nil {
		return false, false, err
	}
	if field.NotNull {
		if err := constrain(c.tx, c.is.table, notNullCheck{next.Name}.name(), notNullCheck{next.Name}, false); err != nil {
			return false, false, err
		}
	}
	indexes, err := c.copyIndexes(name, next.Name)
	if err != nil {
		return false, false, err
	}
	return true, true, withBriefLock(c.tx, func(tx *gorm.DB) error {
		if err := stop(tx); err != nil {
			return err
		}
		var comment string
		if err := tx.Raw("SELECT coalesce(quote_literal(col_description(attrelid, attnum)), 'NULL') FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(?)) AND attname = ?", c.is.table, name).Scan(&comment).Error; err != nil {
			return err
		}
		alter := []clause.Expr{{SQL: "DROP COLUMN ?", Vars: []any{column}}, {SQL: "RENAME COLUMN ? TO ?", Vars: []any{next, column}}}
		if field.NotNull {
			alter = append(alter, clause.Expr{SQL: "ALTER COLUMN ? SET NOT NULL", Vars: []any{column}},
				clause.Expr{SQL: "DROP CONSTRAINT ?", Vars: []any{clause.Column{Name: notNullCheck{next.Name}.name()}}})
		}
		if _, value, ok := strings.Cut(definition, " DEFAULT "); ok {
			alter = append(alter, clause.Expr{SQL: "ALTER COLUMN ? SET DEFAULT ?", Vars: []any{column, clause.Expr{SQL: value}}})
		}
		for _, how := range alter {
			if err := tx.Exec("ALTER TABLE ? ?", table, how).Error; err != nil {
				return err
			}
		}
		for index, beside := range indexes {
			if err := tx.Exec("ALTER INDEX ? RENAME TO ?", clause.Column{Name: beside}, clause.Column{Name: index}).Error; err != nil {
				return err
			}
		}
		return tx.Exec("COMMENT ON COLUMN ?.? IS ?", table, column, clause.Expr{SQL: comment}).Error
	})
}

// copyIndexes creates indexes on the column next like those on the column name,
// and returns their names by the names of the existing ones.
func (c change) copyIndexes(name, next string) (map[string]string, error) {
	var all []struct{ Name, Definition string }
	err := c.tx.Raw(`SELECT r.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
		FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = ?
		WHERE i.indrelid = to_regclass(quote_ident(?)) AND i.indisvalid AND EXISTS (SELECT 1 FROM pg_depend d
			WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum)`,
		name, c.is.table).Scan(&all).Error
	if err != nil {
		return nil, err
	}
	made := map[string]string{}
	for _, index := range all {
		beside := fmt.Sprintf("%.57s_next", index.Name)
		made[index.Name] = beside
		if there, err := hasIndex(c.tx, beside); err != nil || there {
			if err != nil {
				return nil, err
			}
			continue
		}
		how, rest := "", index.Definition
		if strings.HasPrefix(rest, "CREATE UNIQUE ") {
			how = "UNIQUE "
		}
		_, rest, ok := strings.Cut(rest, " USING ")
		if !ok {
			return nil, fmt.Errorf("cannot read the index %s: %s", index.Name, index.Definition)
		}
		if err := createIndex(c.tx, how, beside, "ON ? USING ?", clause.Table{Name: c.is.table}, clause.Expr{SQL: replaceColumn(rest, name, next)}); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// replaceColumn returns the part after USING of an index definition, with one column
// replaced by another.
func replaceColumn(definition, from, to string) string {
	part := func(b byte) bool {
		return b == '_' || b == '$' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
	}
	var out strings.Builder
	for i := 0; i < len(definition); {
		end := i + 1
		switch b := definition[i]; {
		case b == '\'' || b == '"': // a doubled quote opens the next string
			if at := strings.IndexByte(definition[i+1:], b); at >= 0 {
				end = i + at + 2
			}
		case part(b):
			for end < len(definition) && part(definition[end]) {
				end++
			}
		}
		word := definition[i:end]
		called := end < len(definition) && definition[end] == '(' // a function of that name
		if typed := strings.HasSuffix(definition[:i], "::"); (word == from || word == quoteName(from)) && !called && !typed {
			word = quoteName(to)
		}
		out.WriteString(word)
		i = end
	}
	return out.String()
}
