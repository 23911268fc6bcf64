package db

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// RenameTable renames a table, for migrations, and with it the indexes, constraints
// and sequence that are named after it (idx_posts_title, fk_posts_author,
// posts_pkey). Rows and references to them are kept. searched are the columns of
// [SearchIndex], if any.
//
// An older program no longer finds the table. On MySQL a rename that failed half
// way can be run again. Swapping the names undoes it.
func RenameTable(tx *gorm.DB, from, to string, searched ...string) error {
	r := renaming{from: from, to: to}
	if err := withBriefLock(tx, func(tx *gorm.DB) error {
		r.tx = tx
		return map[string]func() error{"sqlite": r.sqlite, "postgres": r.postgres, "mysql": r.mysql}[tx.Name()]()
	}); err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	if p, ok := tx.Plugins["folding"].(*folding); ok {
		p.known.Delete(from)
		p.known.Delete(to)
	}
	if tx.Name() == "sqlite" && len(searched) > 0 {
		return SearchIndex(tx, to, searched...)
	}
	return nil
}

// RenameJoined renames a column of a join table and its index, for migrations. old
// and now are Go names, from which GORM derives those of the column: PostID.
func RenameJoined(tx *gorm.DB, table, old, now string) error {
	from, to := tx.NamingStrategy.ColumnName(table, old), tx.NamingStrategy.ColumnName(table, now)
	m := tx.Migrator()
	if !m.HasColumn(table, to) || m.HasColumn(table, from) { // otherwise it was renamed before
		if err := run(tx, "ALTER TABLE ? RENAME COLUMN ? TO ?", clause.Table{Name: table}, clause.Column{Name: from}, clause.Column{Name: to}); err != nil {
			return err
		}
	}
	index := tx.NamingStrategy.IndexName(table, from)
	if !m.HasIndex(table, index) {
		return nil
	}
	return m.RenameIndex(table, index, tx.NamingStrategy.IndexName(table, to))
}

type renaming struct {
	tx       *gorm.DB
	from, to string
}

// longestName is a length that every database stores without truncation.
const longestName = 60

// name returns the new name of name; false if it is not named after the table.
func (r renaming) name(name string) (string, bool, error) {
	for _, kind := range []string{"idx_", "uni_", "fk_", "chk_", ""} {
		if rest, ok := strings.CutPrefix(name, kind+r.from+"_"); ok {
			now := kind + r.to + "_" + rest
			if max(len(name), len(now)) > longestName {
				return "", false, fmt.Errorf("the name %s is too long to be changed\n  try:   nexios undo, and rename with --keep-table", name)
			}
			return now, true, nil
		}
	}
	return "", false, nil
}

// each calls rename for the names that are derived from the table's.
func (r renaming) each(names []string, rename func(old, now string) error) error {
	for _, old := range names {
		now, is, err := r.name(old)
		if err == nil && is {
			err = rename(old, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r renaming) table() error {
	if m := r.tx.Migrator(); !m.HasTable(r.from) && m.HasTable(r.to) { // renamed before
		return nil
	}
	return r.tx.Exec("ALTER TABLE ? RENAME TO ?", clause.Table{Name: r.from}, clause.Table{Name: r.to}).Error
}

func (r renaming) sqlite() error {
	if err := DropSearchIndex(r.tx, r.from); err != nil {
		return err
	}
	if err := r.table(); err != nil {
		return err
	}
	exec := func(statement string) error {
		_, err := r.tx.Statement.ConnPool.ExecContext(r.tx.Statement.Context, statement)
		return Translate(err)
	}
	var named bool
	err := copyTable(r.tx, r.to, nil, exec, func(t *tableText) (bool, error) {
		for i, constraint := range t.constraints {
			rest, ok := strings.CutPrefix(constraint, "CONSTRAINT ")
			now, is, err := r.name(firstName(rest))
			if err != nil {
				return false, err
			}
			if ok && is {
				t.constraints[i] = "CONSTRAINT " + quoteName(now) + rest[strings.Index(rest, firstName(rest))+len(firstName(rest))+1:]
				named = true
			}
		}
		return named, nil
	})
	if err != nil {
		return err
	}
	var there []struct{ Type, Name, SQL string }
	if err := r.tx.Raw("SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND tbl_name = ? AND sql IS NOT NULL ORDER BY rowid", r.to).Scan(&there).Error; err != nil {
		return err
	}
	for _, one := range there {
		err := r.each([]string{one.Name}, func(old, now string) error {
			if err := exec("DROP " + one.Type + " " + quoteName(old)); err != nil {
				return err
			}
			return exec(strings.Replace(one.SQL, old, now, 1))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r renaming) postgres() error {
	if err := r.table(); err != nil {
		return err
	}
	column := func(name string) clause.Column { return clause.Column{Name: name} }
	for _, kind := range []struct{ names, rename string }{
		{"SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(quote_ident(?)) AND contype <> 'n' ORDER BY 1", "ALTER TABLE ? RENAME CONSTRAINT ? TO ?"},
		{"SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indrelid = to_regclass(quote_ident(?)) ORDER BY 1", "ALTER INDEX ? RENAME TO ?"},
		{"SELECT s.relname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass WHERE s.relkind = 'S' AND d.refobjid = to_regclass(quote_ident(?)) ORDER BY 1", "ALTER SEQUENCE ? RENAME TO ?"},
	} {
		var names []string
		if err := r.tx.Raw(kind.names, r.to).Scan(&names).Error; err != nil {
			return err
		}
		err := r.each(names, func(old, now string) error {
			vars := []any{column(old), column(now)}
			if strings.Contains(kind.rename, "CONSTRAINT") {
				vars = append([]any{clause.Table{Name: r.to}}, vars...)
			}
			return r.tx.Exec(kind.rename, vars...).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r renaming) mysql() error {
	if err := r.table(); err != nil {
		return err
	}
	table := clause.Table{Name: r.to}
	column := func(name string) clause.Column { return clause.Column{Name: name} }
	var names []string
	err := r.tx.Raw("SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = database() AND table_name = ? AND index_name <> 'PRIMARY' ORDER BY 1", r.to).Scan(&names).Error
	if err != nil {
		return err
	}
	err = r.each(names, func(old, now string) error {
		return r.tx.Exec("ALTER TABLE ? RENAME INDEX ? TO ?", table, column(old), column(now)).Error
	})
	if err != nil {
		return err
	}
	// MySQL cannot rename constraints: each is replaced by an equal one.
	var keys []struct{ Name, Columns, Target, Refs, OnDelete, OnUpdate string }
	err = r.tx.Raw("SELECT c.constraint_name AS name, r.referenced_table_name AS target, r.delete_rule AS on_delete, r.update_rule AS on_update, "+
		"GROUP_CONCAT(c.column_name ORDER BY c.ordinal_position) AS columns, GROUP_CONCAT(c.referenced_column_name ORDER BY c.ordinal_position) AS refs "+
		"FROM information_schema.key_column_usage c JOIN information_schema.referential_constraints r ON r.constraint_schema = c.constraint_schema AND r.constraint_name = c.constraint_name AND r.table_name = c.table_name "+
		"WHERE c.table_schema = database() AND c.table_name = ? GROUP BY c.constraint_name, r.referenced_table_name, r.delete_rule, r.update_rule ORDER BY 1", r.to).Scan(&keys).Error
	if err != nil {
		return err
	}
	for _, key := range keys {
		list := func(names string) (columns []any, marks string) {
			for name := range strings.SplitSeq(names, ",") {
				columns, marks = append(columns, column(name)), marks+", ?"
			}
			return columns, "(" + strings.TrimPrefix(marks, ", ") + ")"
		}
		err := r.each([]string{key.Name}, func(old, now string) error {
			own, mine := list(key.Columns)
			refs, theirs := list(key.Refs)
			vars := append(append([]any{table, column(old), column(now)}, own...), clause.Table{Name: key.Target})
			return r.tx.Exec("ALTER TABLE ? DROP FOREIGN KEY ?, ADD CONSTRAINT ? FOREIGN KEY "+mine+" REFERENCES ? "+theirs+
				" ON DELETE "+key.OnDelete+" ON UPDATE "+key.OnUpdate, append(vars, refs...)...).Error
		})
		if err != nil {
			return err
		}
	}
	var checks []struct{ Name, Clause string }
	err = r.tx.Raw("SELECT t.constraint_name AS name, c.check_clause AS clause FROM information_schema.table_constraints t "+
		"JOIN information_schema.check_constraints c ON c.constraint_schema = t.constraint_schema AND c.constraint_name = t.constraint_name "+
		"WHERE t.table_schema = database() AND t.table_name = ? AND t.constraint_type = 'CHECK' ORDER BY 1", r.to).Scan(&checks).Error
	if err != nil {
		return err
	}
	for _, check := range checks {
		err := r.each([]string{check.Name}, func(old, now string) error {
			return r.tx.Exec("ALTER TABLE ? DROP CONSTRAINT ?, ADD CONSTRAINT ? CHECK ("+strings.ReplaceAll(check.Clause, "?", "??")+")", table, column(old), column(now)).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}
