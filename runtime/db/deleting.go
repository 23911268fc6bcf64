package db

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// deleting is the GORM plugin that lets what is softly deleted be gone for the
// rows that refer to it, and for those that it refers to. A database knows
// nothing of soft deletes; its foreign keys say what is meant by them:
//
//	RESTRICT   a row that is referred to stays, but not for deleted rows
//	CASCADE    rows that refer to it go with it, softly where their table can
//	SET NULL   rows that refer to it refer to nothing
//
// Rows of join tables stay for the day on which a deleted row comes back. All
// happens in one transaction.
type deleting struct{ known sync.Map } // of []dependent, by table

// dependent is a foreign key that refers to a table: column of owner refers to
// its column target.
type dependent struct {
	Owner, Column, Target string
	Rule                  string // RESTRICT, CASCADE or SET NULL
	Soft                  bool   // rows of owner are deleted softly
	Key                   bool   // column is a part of owner's primary key, as in join tables
}

// deletion is what is known of a DELETE while it runs.
type deletion struct {
	table string
	soft  bool
	keys  map[string][]any // what may go, by the column that is referred to
	own   *gorm.DB         // the transaction of the deletion; nil in one of the caller's
	pool  gorm.ConnPool    // the statement's before
}

// Name implements gorm.Plugin.
func (*deleting) Name() string { return "deleting" }

// Initialize implements gorm.Plugin.
func (p *deleting) Initialize(gdb *gorm.DB) error {
	return errors.Join(
		gdb.Callback().Delete().Before("gorm:delete").Register("deleting:before", p.before),
		gdb.Callback().Delete().After("gorm:delete").Before("conflicts").Register("deleting:after", p.after),
	)
}

const deletionKey = "db:deletion"

// before notes which rows are to go, where others may refer to them.
func (p *deleting) before(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.DryRun || s.SQL.Len() > 0 || s.Schema.PrioritizedPrimaryField == nil {
		return
	}
	d := &deletion{table: s.Table, soft: !s.Unscoped && softly(s.Schema), pool: s.ConnPool, keys: map[string][]any{}}
	dependents, err := p.dependents(tx, d.table)
	dependents = slices.DeleteFunc(slices.Clone(dependents), func(on dependent) bool {
		return on.Key || !d.soft && !on.stale() && !on.chain(tx, d.table)
	})
	if err != nil || len(dependents) == 0 {
		_ = tx.AddError(err)
		return
	}
	if _, inside := s.ConnPool.(gorm.TxCommitter); inside {
		if err := afresh(tx).Exec("SAVEPOINT deleting").Error; err != nil {
			_ = tx.AddError(err)
			return
		}
	} else {
		own := tx.Session(&gorm.Session{NewDB: true, Context: s.Context}).Begin()
		if own.Error != nil {
			_ = tx.AddError(own.Error)
			return
		}
		d.own, s.ConnPool = own, own.Statement.ConnPool
	}
	tx.InstanceSet(deletionKey, d)
	for _, on := range dependents {
		if _, ok := d.keys[on.Target]; ok {
			continue
		}
		if d.keys[on.Target], err = condemned(tx, on.Target); err != nil {
			_ = tx.AddError(err)
			return
		}
	}
	if d.soft {
		return
	}
	for _, on := range dependents {
		for some := range slices.Chunk(d.keys[on.Target], 500) {
			if on.stale() {
				err = p.purge(tx, on, some)
			} else {
				err = unchain(tx, on, some)
			}
			_ = tx.AddError(err)
		}
	}
}

// stale tells whether rows that are deleted can be in the way of the database.
func (on dependent) stale() bool { return on.Soft && on.Rule == "RESTRICT" && !on.Key }

// chain tells whether rows of table go with others of it, of which MariaDB
// follows 15.
func (on dependent) chain(tx *gorm.DB, table string) bool {
	return tx.Name() == "mysql" && on.Owner == table && on.Rule == "CASCADE" && !on.Key
}

// purge deletes for good the rows that are deleted softly and refer to one of
// keys: they are in the way of the database alone.
func (p *deleting) purge(tx *gorm.DB, on dependent, keys []any) error {
	owner, column := clause.Table{Name: on.Owner}, clause.Column{Name: on.Column}
	next, err := p.dependents(tx, on.Owner)
	if err != nil {
		return err
	}
	for _, after := range next {
		if !after.stale() || after.Owner == on.Owner {
			continue
		}
		gone, err := query(tx, "SELECT ? FROM ? WHERE ? IN ? AND deleted_at IS NOT NULL", clause.Column{Name: after.Target}, owner, column, keys)
		if err == nil && len(gone) > 0 {
			err = p.purge(tx, after, gone)
		}
		if err != nil {
			return err
		}
	}
	return afresh(tx).Exec("DELETE FROM ? WHERE ? IN ? AND deleted_at IS NOT NULL", owner, column, keys).Error
}

// unchain deletes the rows that go with those that have keys, from the leaves.
func unchain(tx *gorm.DB, on dependent, keys []any) error {
	owner, column, target := clause.Table{Name: on.Owner}, clause.Column{Name: on.Column}, clause.Column{Name: on.Target}
	levels, seen := [][]any{keys}, map[any]bool{}
	for len(levels[len(levels)-1]) > 0 {
		found, err := query(tx, "SELECT ? FROM ? WHERE ? IN ?", target, owner, column, levels[len(levels)-1])
		if err != nil {
			return err
		}
		levels = append(levels, slices.DeleteFunc(found, func(key any) bool {
			again := seen[key] || slices.Contains(keys, key)
			seen[key] = true
			return again
		}))
	}
	for _, level := range slices.Backward(levels[1 : len(levels)-1]) {
		if err := afresh(tx).Exec("DELETE FROM ? WHERE ? IN ?", owner, target, level).Error; err != nil {
			return err
		}
	}
	return nil
}

// after sees to the rows that refer to those which are deleted now.
func (p *deleting) after(tx *gorm.DB) {
	value, ok := tx.InstanceGet(deletionKey)
	if !ok {
		return
	}
	d := value.(*deletion)
	if d.soft && tx.Error == nil {
		for target, keys := range d.keys {
			gone, err := query(tx, "SELECT ? FROM ? WHERE ? IN ? AND deleted_at IS NOT NULL", clause.Column{Name: target}, clause.Table{Name: d.table}, clause.Column{Name: target}, keys)
			if err == nil {
				err = p.follow(tx, d.table, target, gone)
			}
			_ = tx.AddError(err)
		}
	}
	if d.own == nil {
		if tx.Error != nil || tx.RowsAffected == 0 {
			_ = afresh(tx).Exec("ROLLBACK TO SAVEPOINT deleting")
		}
		return
	}
	tx.Statement.ConnPool = d.pool
	if tx.Error != nil || tx.RowsAffected == 0 {
		_ = d.own.Rollback()
		return
	}
	_ = tx.AddError(d.own.Commit().Error)
}

// follow does what the foreign keys to table say of rows of it that are deleted
// softly and have one of keys in the column target.
func (p *deleting) follow(tx *gorm.DB, table, target string, keys []any) error {
	dependents, err := p.dependents(tx, table)
	if err != nil || len(keys) == 0 {
		return err
	}
	// What forbids the deletion comes first.
	for _, rule := range []string{"RESTRICT", "SET NULL", "CASCADE"} {
		for _, on := range dependents {
			if on.Rule != rule || on.Target != target || on.Key {
				continue
			}
			for some := range slices.Chunk(keys, 500) {
				if err := p.one(tx, on, some); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *deleting) one(tx *gorm.DB, on dependent, keys []any) error {
	owner, column := clause.Table{Name: on.Owner}, clause.Column{Name: on.Column}
	live := ""
	if on.Soft {
		live = " AND deleted_at IS NULL"
	}
	switch on.Rule {
	case "RESTRICT":
		found, err := query(tx, "SELECT ? FROM ? WHERE ? IN ?"+live+" LIMIT 1", column, owner, column, keys)
		if err == nil && len(found) > 0 {
			v := &violation{kind: foreignKey, deleting: true, resolved: true, table: on.Owner, cause: errors.New("a row that is deleted softly is referred to")}
			f := v.fault(nil)
			f.Message = Humanize(tx.Statement.Schema.Name) + " is still used by " + strings.ToLower(Humanize(on.Owner))
			err = f
		}
		return err
	case "SET NULL":
		return afresh(tx).Exec("UPDATE ? SET ? = NULL WHERE ? IN ?", owner, column, column, keys).Error
	}
	if !on.Soft {
		return afresh(tx).Exec("DELETE FROM ? WHERE ? IN ?", owner, column, keys).Error
	}
	next, err := p.dependents(tx, on.Owner)
	if err != nil {
		return err
	}
	going := map[string][]any{}
	for _, after := range next {
		if _, ok := going[after.Target]; !ok && !after.Key {
			going[after.Target], err = query(tx, "SELECT ? FROM ? WHERE ? IN ? AND deleted_at IS NULL", clause.Column{Name: after.Target}, owner, column, keys)
			if err != nil {
				return err
			}
		}
	}
	err = afresh(tx).Exec("UPDATE ? SET deleted_at = ? WHERE ? IN ? AND deleted_at IS NULL", owner, tx.NowFunc(), column, keys).Error
	for target, keys := range going {
		if err == nil {
			err = p.follow(tx, on.Owner, target, keys)
		}
	}
	return err
}

// softly tells whether GORM deletes rows of the model softly, in the column
// deleted_at.
func softly(s *schema.Schema) bool {
	field := s.FieldsByDBName["deleted_at"]
	return field != nil && len(s.DeleteClauses) > 0
}

// condemned are the values that the rows of a DELETE have in a column.
func condemned(tx *gorm.DB, column string) ([]any, error) {
	s := tx.Statement
	fresh := afresh(tx).Unscoped().Table(s.Table)
	fresh.Statement.Schema = s.Schema // a condition may name the primary key, whatever that is
	if where, ok := s.Clauses["WHERE"].Expression.(clause.Where); ok {
		fresh = fresh.Clauses(where)
	}
	if softly(s.Schema) && !s.Unscoped {
		fresh = fresh.Where("? IS NULL", clause.Column{Table: s.Table, Name: "deleted_at"})
	}
	// GORM adds the keys of the rows themselves only when it deletes.
	var own []any
	for _, row := range rows(s.ReflectValue) {
		if row.Type() != s.Schema.ModelType {
			continue
		}
		if value, zero := s.Schema.PrioritizedPrimaryField.ValueOf(s.Context, row); !zero {
			own = append(own, value)
		}
	}
	if _, conditions := s.Clauses["WHERE"]; len(own) == 0 && !conditions {
		return nil, nil // which GORM refuses
	}
	if len(own) > 0 {
		fresh = fresh.Where("? IN ?", clause.Column{Table: s.Table, Name: s.Schema.PrioritizedPrimaryField.DBName}, own)
	}
	return scan(fresh.Select(column))
}

// query returns the one column of a statement's rows.
func query(tx *gorm.DB, sql string, values ...any) ([]any, error) {
	return scan(afresh(tx).Raw(sql, values...))
}

func scan(tx *gorm.DB) (values []any, err error) {
	found, err := tx.Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		var value any
		if err := found.Scan(&value); err != nil {
			return nil, err
		}
		if text, ok := value.([]byte); ok {
			value = string(text)
		}
		values = append(values, value)
	}
	return values, found.Err()
}

// dependents are the foreign keys that refer to table, as the database knows
// them. Of one of several columns the last counts: the others only say within
// what a row is.
func (p *deleting) dependents(tx *gorm.DB, table string) ([]dependent, error) {
	if known, ok := p.known.Load(table); ok {
		return known.([]dependent), nil
	}
	var all []dependent
	err := afresh(tx).Raw(map[string]string{
		"sqlite": "SELECT m.name AS owner, f.`from` AS `column`, coalesce(f.`to`, 'id') AS target, f.on_delete AS rule, " +
			"EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'deleted_at') AS soft, " +
			"EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = f.`from` AND c.pk > 0) AS `key` " +
			"FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.`table` = ? " +
			"AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name) g WHERE g.id = f.id AND g.seq > f.seq)",
		"postgres": "SELECT o.relname AS owner, a.attname AS column, t.attname AS target, " +
			"CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'RESTRICT' END AS rule, " +
			"EXISTS (SELECT 1 FROM pg_attribute d WHERE d.attrelid = o.oid AND d.attname = 'deleted_at' AND NOT d.attisdropped) AS soft, " +
			"EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = o.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS key " +
			"FROM pg_constraint c JOIN pg_class o ON o.oid = c.conrelid " +
			"JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[cardinality(c.conkey)] " +
			"JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = c.confkey[cardinality(c.confkey)] " +
			"WHERE c.contype = 'f' AND c.confrelid = to_regclass(quote_ident(?))",
		"mysql": "SELECT k.table_name AS `owner`, k.column_name AS `column`, k.referenced_column_name AS target, r.delete_rule AS rule, " +
			"EXISTS (SELECT 1 FROM information_schema.columns d WHERE d.table_schema = k.table_schema AND d.table_name = k.table_name AND d.column_name = 'deleted_at') AS soft, " +
			"EXISTS (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = k.table_schema AND c.table_name = k.table_name AND c.column_name = k.column_name AND c.column_key = 'PRI') AS `key` " +
			"FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r " +
			"ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name " +
			"WHERE k.table_schema = database() AND k.referenced_table_name = ? " +
			"AND NOT EXISTS (SELECT 1 FROM information_schema.key_column_usage l WHERE l.constraint_schema = k.constraint_schema " +
			"AND l.constraint_name = k.constraint_name AND l.table_name = k.table_name AND l.ordinal_position > k.ordinal_position)",
	}[tx.Name()], table).Scan(&all).Error
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b dependent) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Column, b.Column))
	})
	for i := range all {
		if all[i].Rule != "CASCADE" && all[i].Rule != "SET NULL" {
			all[i].Rule = "RESTRICT"
		}
	}
	p.known.Store(table, all)
	return all, nil
}
