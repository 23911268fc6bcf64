package db

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// deleting is the GORM plug-in that applies foreign keys to soft deletes, of which
// the database knows nothing: a soft-deleted row counts as gone, both for the rows
// that reference it and for those that it references. The rules of the foreign keys
// mean:
//
//	RESTRICT   a referenced row stays, unless only deleted rows reference it
//	CASCADE    referencing rows are deleted with it, softly if their table can
//	SET NULL   references to it become null
//
// A row cannot be deleted while another transaction writes a reference to it; see
// rules.beginFor. Rows of join tables are kept in case a soft-deleted row is restored;
// those of the model's own many fields are deleted with a row that is deleted for
// good. All of this happens in one transaction.
type deleting struct{ known sync.Map } // of []dependent, by table

// dependent is a foreign key that references a table: the column of owner
// references its column target.
type dependent struct {
	Owner, Column, Target string
	Rule                  string // RESTRICT, CASCADE or SET NULL
	Soft                  bool   // rows of owner are deleted softly
	Key                   bool   // column is a part of owner's primary key, as in join tables
}

// deletion is the state of a DELETE while it runs.
type deletion struct {
	table string
	soft  bool
	keys  map[string][]any // values of the rows to delete, by referenced column
	own   *ownTransaction  // nil if the caller has begun one
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

// before records which rows are to be deleted if others may reference them.
func (p *deleting) before(tx *gorm.DB) {
	s := tx.Statement
	if tx.Error != nil || s.Schema == nil || s.DryRun || s.SQL.Len() > 0 || s.Schema.PrioritizedPrimaryField == nil {
		return
	}
	d := &deletion{table: s.Table, soft: !s.Unscoped && softly(s.Schema), keys: map[string][]any{}}
	dependents, err := p.dependents(tx, d.table)
	dependents = slices.DeleteFunc(slices.Clone(dependents), func(on dependent) bool {
		if on.Key {
			return d.soft || !on.inJoinTable(s.Schema)
		}
		return !d.soft && !on.stale() && !on.cascadesToSelf(tx, d.table)
	})
	if err != nil || len(dependents) == 0 {
		_ = tx.AddError(err)
		return
	}
	if d.own, err = beginOwn(tx); err == nil && d.own == nil {
		err = systemSession(tx).Exec("SAVEPOINT deleting").Error
	}
	if err != nil {
		_ = tx.AddError(err)
		return
	}
	tx.InstanceSet(deletionKey, d)
	var locks []clause.Expression
	if d.soft { // by an UPDATE, which does not wait for transactions that reference a row
		locks = append(locks, lockForDelete())
	}
	for _, on := range dependents {
		if _, ok := d.keys[on.Target]; ok {
			continue
		}
		if d.keys[on.Target], err = valuesToDelete(tx, on.Target, locks...); err != nil {
			_ = tx.AddError(err)
			return
		}
	}
	if d.soft {
		return
	}
	for _, on := range dependents {
		for some := range slices.Chunk(d.keys[on.Target], 500) {
			switch {
			case on.stale():
				err = p.purge(tx, on, some)
			case on.Key:
				err = systemSession(tx).Exec("DELETE FROM ? WHERE ? IN ?", clause.Table{Name: on.Owner}, clause.Column{Name: on.Column}, some).Error
			default:
				err = deleteChain(tx, on, some)
			}
			_ = tx.AddError(err)
		}
	}
}

// stale reports whether soft-deleted rows of on.Owner can make the database reject
// a deletion.
func (on dependent) stale() bool { return on.Soft && on.Rule == "RESTRICT" && !on.Key }

// cascadesToSelf reports whether rows of table cascade to others of it, which MariaDB
// follows for 15 levels.
func (on dependent) cascadesToSelf(tx *gorm.DB, table string) bool {
	return tx.Name() == "mysql" && on.Owner == table && on.Rule == "CASCADE" && !on.Key
}

// inJoinTable reports whether on belongs to a join table of a many field of the model, in
// a schema that nexios did not create: it creates such tables with CASCADE.
func (on dependent) inJoinTable(s *schema.Schema) bool {
	return on.Key && on.Rule == "RESTRICT" && slices.ContainsFunc(s.Relationships.Many2Many, func(r *schema.Relationship) bool {
		return r.JoinTable.Table == on.Owner && slices.ContainsFunc(r.References, func(ref *schema.Reference) bool {
			return ref.OwnPrimaryKey && ref.ForeignKey.DBName == on.Column
		})
	})
}

// purge deletes for good the soft-deleted rows that reference one of keys: only the
// database still counts them.
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
	return systemSession(tx).Exec("DELETE FROM ? WHERE ? IN ? AND deleted_at IS NOT NULL", owner, column, keys).Error
}

// deleteChain deletes the rows that cascade from those with keys, from the leaves up.
func deleteChain(tx *gorm.DB, on dependent, keys []any) error {
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
		if err := systemSession(tx).Exec("DELETE FROM ? WHERE ? IN ?", owner, target, level).Error; err != nil {
			return err
		}
	}
	return nil
}

// after applies the foreign keys to the rows that reference those just deleted.
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
			_ = systemSession(tx).Exec("ROLLBACK TO SAVEPOINT deleting")
		}
		return
	}
	d.own.end(tx, tx.Error == nil && tx.RowsAffected > 0)
}

// follow applies the foreign keys to the rows of table that were soft-deleted and
// have one of keys in the column target.
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
				if err := p.applyRule(tx, on, some); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *deleting) applyRule(tx *gorm.DB, on dependent, keys []any) error {
	owner, column := clause.Table{Name: on.Owner}, clause.Column{Name: on.Column}
	live := ""
	if on.Soft {
		live = " AND deleted_at IS NULL"
	}
	switch on.Rule {
	case "RESTRICT":
		found, err := query(tx, "SELECT ? FROM ? WHERE ? IN ?"+live+" LIMIT 1", column, owner, column, keys)
		if err == nil && len(found) > 0 {
			v := &violation{kind: foreignKey, deleting: true, resolved: true, table: on.Owner, cause: errors.New("a soft-deleted row is still referenced")}
			f := v.fault(nil)
			f.Message = stillUsed(tx, on.Owner, on.Column, keys)
			err = f
		}
		return err
	case "SET NULL":
		return systemSession(tx).Exec("UPDATE ? SET ? = NULL WHERE ? IN ?", owner, column, column, keys).Error
	}
	if !on.Soft {
		return systemSession(tx).Exec("DELETE FROM ? WHERE ? IN ?", owner, column, keys).Error
	}
	next, err := p.dependents(tx, on.Owner)
	if err != nil {
		return err
	}
	gone := map[string][]any{}
	for _, after := range next {
		if _, ok := gone[after.Target]; !ok && !after.Key {
			gone[after.Target], err = scan(systemSession(tx).Table(on.Owner).Clauses(lockForDelete()).Where("? IN ? AND deleted_at IS NULL", column, keys).Select(after.Target))
			if err != nil {
				return err
			}
		}
	}
	err = systemSession(tx).Exec("UPDATE ? SET deleted_at = ? WHERE ? IN ? AND deleted_at IS NULL", owner, tx.NowFunc(), column, keys).Error
	for target, keys := range gone {
		if err == nil {
			err = p.follow(tx, on.Owner, target, keys)
		}
	}
	return err
}

// stillUsed returns the message for rows that cannot be deleted because rows of
// table reference one of keys in column. It names the table only to a caller who
// may read one of these rows. Without a column they are all rows of the table.
func stillUsed(tx *gorm.DB, table, column string, keys []any) string {
	message := Humanize(tx.Statement.Schema.Name) + " is still used by "
	if table != "" && mayRead(tx, table, column, keys) {
		return message + strings.ToLower(Humanize(table))
	}
	return message + "other rows"
}

// mayRead reports whether the caller of tx may read a row of the table that has one
// of keys in column; without a column, whether they may read every row. It is false
// for tables without a known model.
func mayRead(tx *gorm.DB, table, column string, keys []any) bool {
	p, ok := tx.Plugins["rules"].(*rules)
	if !ok || IsSystem(tx.Statement.Context) {
		return true
	}
	model := p.model(tx.Statement.Schema, table)
	if model == nil {
		return false
	}
	row := reflect.New(model.ModelType).Interface()
	fresh := tx.Session(&gorm.Session{NewDB: true, SkipHooks: true})
	fresh.Error = nil
	if of := p.ruleOf(model).readable; of == nil || p.condition(fresh.Model(row), model, of) == nil {
		return fresh.Error == nil
	}
	if column == "" {
		return false
	}
	var n int64
	err := fresh.Unscoped().Model(row).Where("? IN ?", clause.Column{Name: column}, keys).Limit(1).Count(&n).Error
	return err == nil && n > 0
}

// softly reports whether GORM soft-deletes rows of the model, by the column
// deleted_at.
func softly(s *schema.Schema) bool {
	field := s.FieldsByDBName["deleted_at"]
	return field != nil && len(s.DeleteClauses) > 0
}

// valuesToDelete returns the values of a column in the rows of a DELETE.
func valuesToDelete(tx *gorm.DB, column string, locks ...clause.Expression) ([]any, error) {
	s := tx.Statement
	fresh := systemSession(tx).Unscoped().Table(s.Table).Clauses(locks...)
	fresh.Statement.Schema = s.Schema // conditions may refer to the primary key by clause.PrimaryKey
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
		return nil, nil // GORM rejects it
	}
	if len(own) > 0 {
		fresh = fresh.Where("? IN ?", clause.Column{Table: s.Table, Name: s.Schema.PrioritizedPrimaryField.DBName}, own)
	}
	return scan(fresh.Select(column))
}

// query returns the values of a statement's only column.
func query(tx *gorm.DB, sql string, values ...any) ([]any, error) {
	return scan(systemSession(tx).Raw(sql, values...))
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

// dependents returns the foreign keys that reference table, as the database reports
// them. Of a key of several columns the last counts: the others only scope it.
func (p *deleting) dependents(tx *gorm.DB, table string) ([]dependent, error) {
	if known, ok := p.known.Load(table); ok {
		return known.([]dependent), nil
	}
	if tx.Name() == "mysql" {
		all, err := mysqlDependents(tx, table)
		if err != nil {
			return nil, err
		}
		return p.cacheDependents(table, all), nil
	}
	var all []dependent
	err := systemSession(tx).Raw(map[string]string{
		"sqlite": "SELECT m.name AS owner, f.`from` AS `column`, " + sqliteTarget + " AS target, f.on_delete AS rule, " +
			"EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'deleted_at') AS soft, " +
			"EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = f.`from` AND c.pk > 0) AS `key` " +
			"FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.`table` = ? COLLATE NOCASE " +
			"AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name) g WHERE g.id = f.id AND g.seq > f.seq)",
		"postgres": "SELECT o.relname AS owner, a.attname AS column, t.attname AS target, " +
			"CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'RESTRICT' END AS rule, " +
			"EXISTS (SELECT 1 FROM pg_attribute d WHERE d.attrelid = o.oid AND d.attname = 'deleted_at' AND NOT d.attisdropped) AS soft, " +
			"EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = o.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS key " +
			"FROM pg_constraint c JOIN pg_class o ON o.oid = c.conrelid " +
			"JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[cardinality(c.conkey)] " +
			"JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = c.confkey[cardinality(c.confkey)] " +
			"WHERE c.contype = 'f' AND c.confrelid = to_regclass(quote_ident(?))",
	}[tx.Name()], table).Scan(&all).Error
	if err != nil {
		return nil, err
	}
	return p.cacheDependents(table, all), nil
}

// mysqlDependents is dependents for MySQL and MariaDB. Their catalog has no
// indexes, so each of its tables is queried once, and not joined for every row.
func mysqlDependents(tx *gorm.DB, table string) ([]dependent, error) {
	var columns []struct{ Name, Owner, Column, Target, Rule string } // ordered by the name of their key
	// MariaDB opens the tables of every schema unless the query names one.
	err := systemSession(tx).Raw("SELECT k.constraint_name AS name, k.table_name AS `owner`, k.column_name AS `column`, k.referenced_column_name AS target, r.delete_rule AS rule "+
		"FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r "+
		"ON r.constraint_schema = database() AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name "+
		"WHERE k.constraint_schema = database() AND k.table_schema = database() AND k.referenced_table_name = ? "+
		"ORDER BY k.table_name, k.constraint_name, k.ordinal_position", table).Scan(&columns).Error
	if err != nil || len(columns) == 0 {
		return nil, err
	}
	var all []dependent
	var owners []string
	for i, c := range columns {
		if i+1 < len(columns) && columns[i+1].Owner == c.Owner && columns[i+1].Name == c.Name {
			continue
		}
		all, owners = append(all, dependent{Owner: c.Owner, Column: c.Column, Target: c.Target, Rule: c.Rule}), append(owners, c.Owner)
	}
	var known []struct{ Owner, Column, Key string }
	err = systemSession(tx).Raw("SELECT table_name AS `owner`, column_name AS `column`, column_key AS `key` FROM information_schema.columns "+
		"WHERE table_schema = database() AND table_name IN ? AND (column_name = 'deleted_at' OR column_key = 'PRI')", owners).Scan(&known).Error
	for i, on := range all {
		for _, c := range known {
			all[i].Soft = all[i].Soft || c.Owner == on.Owner && c.Column == "deleted_at"
			all[i].Key = all[i].Key || c.Owner == on.Owner && c.Column == on.Column && c.Key == "PRI"
		}
	}
	return all, err
}

// cacheDependents caches the foreign keys of a table, in the same order on every database.
func (p *deleting) cacheDependents(table string, all []dependent) []dependent {
	slices.SortFunc(all, func(a, b dependent) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Column, b.Column))
	})
	for i := range all {
		if all[i].Rule != "CASCADE" && all[i].Rule != "SET NULL" {
			all[i].Rule = "RESTRICT"
		}
	}
	p.known.Store(table, all)
	return all
}
