package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// How a migration changes a table that is in use. Statements that lock a table
// briefly wait for the lock for at most lockWait, and then let pass those that queued
// up behind them. Long statements take no lock that blocks others: indexes of
// PostgreSQL are built concurrently, its constraints are validated after they apply
// to new rows, and values are filled in a few rows at a time.

// lockWait is how long a migration waits for a lock at a time. PostgreSQL checks for
// deadlocks after a second, and might then cancel a statement of another program.
const lockWait = 500 * time.Millisecond

// shortLockTimeout and leisure set the lock timeout of a connection. MySQL counts whole
// seconds.
var shortLockTimeout, noLockTimeout = map[string]string{
	"postgres": "SET lock_timeout = 500", "mysql": "SET lock_wait_timeout = 1, innodb_lock_wait_timeout = 1",
}, map[string]string{
	"postgres": "SET lock_timeout = 0", "mysql": "SET lock_wait_timeout = 86400, innodb_lock_wait_timeout = 86400",
}

// onlineConn is the connection of an online migration: each statement releases its locks
// when it ends.
type onlineConn struct{ *sql.Conn }

// BeginTx implements gorm.ConnPoolBeginner.
func (s *onlineConn) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	begun, err := s.Conn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &pinned{begun}, nil
}

// online reports whether tx is the connection of an online migration.
func online(tx *gorm.DB) bool {
	_, ok := tx.Statement.ConnPool.(*onlineConn)
	return ok
}

// concurrent reports whether indexes are built concurrently, and constraints added
// in two steps.
func concurrent(tx *gorm.DB) bool { return online(tx) && tx.Name() == "postgres" }

// runOnline runs f on a connection without a transaction.
func runOnline(ctx context.Context, gdb *gorm.DB, conn *sql.Conn, f func(*gorm.DB) error) error {
	if _, err := conn.ExecContext(ctx, shortLockTimeout[gdb.Name()]); err != nil {
		return Translate(err)
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), noLockTimeout[gdb.Name()]) }()
	tx := gdb.Session(&gorm.Session{NewDB: true, Context: ctx})
	tx.Statement.ConnPool = &onlineConn{conn}
	return f(tx)
}

// retryBusy retries do, which is rolled back if it does not get a lock in time,
// until it succeeds.
func retryBusy(ctx context.Context, gdb *gorm.DB, do func() error) error {
	for tries := 1; ; tries++ {
		err := do()
		if err == nil || inspect(err).kind != busy || ctx.Err() != nil {
			return err
		}
		if tries == 2 {
			gdb.Logger.Warn(ctx, "waiting for another program to let go of a table: %v", inspect(err).cause)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lockWait):
		}
	}
}

// withBriefLock runs do, which locks a table briefly. In an online migration it runs in a
// transaction of its own and is retried if it does not get the lock.
func withBriefLock(tx *gorm.DB, do func(tx *gorm.DB) error) error {
	if !online(tx) {
		return do(tx)
	}
	return retryBusy(tx.Statement.Context, tx, func() error { return tx.Transaction(do) })
}

// run is withBriefLock for one statement.
func run(tx *gorm.DB, statement string, vars ...any) error {
	return withBriefLock(tx, func(tx *gorm.DB) error { return tx.Exec(statement, vars...).Error })
}

// execLong runs a statement that takes or waits long without blocking others.
func execLong(tx *gorm.DB, statement string, vars ...any) error {
	if err := tx.Exec(noLockTimeout[tx.Name()]).Error; err != nil {
		return err
	}
	text := tx.Session(&gorm.Session{DryRun: true}).Exec(statement, vars...).Statement.SQL.String()
	waiting := time.AfterFunc(10*warnAfter, func() {
		tx.Logger.Warn(tx.Statement.Context, "still busy, or waiting for transactions that began before: %s", text)
	})
	defer waiting.Stop()
	err := tx.Exec(statement, vars...).Error
	if resetErr := tx.Exec(shortLockTimeout[tx.Name()]).Error; err == nil {
		err = resetErr
	}
	return err
}

// createIndex creates an index; how precedes the word INDEX, and rest follows the
// name.
func createIndex(tx *gorm.DB, how, name, rest string, vars ...any) error {
	vars = append([]any{clause.Column{Name: name}}, vars...)
	if !concurrent(tx) {
		return tx.Exec("CREATE "+how+"INDEX ? "+rest, vars...).Error
	}
	if err := dropIndex(tx, name); err != nil { // half built
		return err
	}
	err := execLong(tx, "CREATE "+how+"INDEX CONCURRENTLY ? "+rest, vars...)
	if err != nil {
		_ = dropIndex(tx, name) // an invalid unique index would still reject rows
	}
	return err
}

// dropIndex drops an index of PostgreSQL, if there is one.
func dropIndex(tx *gorm.DB, name string) error {
	if !concurrent(tx) {
		return tx.Exec("DROP INDEX IF EXISTS ?", clause.Column{Name: name}).Error
	}
	return execLong(tx, "DROP INDEX CONCURRENTLY IF EXISTS ?", clause.Column{Name: name})
}

// hasIndex reports whether PostgreSQL has an index that is completely built.
func hasIndex(tx *gorm.DB, name string) (is bool, err error) {
	err = tx.Raw("SELECT EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(quote_ident(?)) AND indisvalid)", name).Scan(&is).Error
	return is, err
}

// replaceIndex builds an index of PostgreSQL while the existing one, which has its
// name, stays in use under another.
func replaceIndex(tx *gorm.DB, name string, create func() error) error {
	older := fmt.Sprintf("%.58s_old", name)
	rename := func(from, to string) error {
		return run(tx, "ALTER INDEX IF EXISTS ? RENAME TO ?", clause.Column{Name: from}, clause.Column{Name: to})
	}
	there, err := hasIndex(tx, older)
	if err == nil && !there { // otherwise it was renamed before
		err = rename(name, older)
	}
	if err != nil {
		return err
	}
	if err := create(); err != nil {
		return errors.Join(err, rename(older, name))
	}
	return dropIndex(tx, older)
}

// constraint is a check or a foreign key.
type constraint interface{ Build() (string, []any) }

// constrain adds a constraint to a table of PostgreSQL or MySQL, unless it exists;
// with replace it drops an existing one in the same transaction.
func constrain(tx *gorm.DB, table, name string, c constraint, replace bool) error {
	statement, vars := c.Build()
	vars = append([]any{clause.Table{Name: table}}, vars...)
	if !concurrent(tx) {
		if tx.Migrator().HasConstraint(table, name) {
			return nil
		}
		return run(tx, "ALTER TABLE ? ADD "+statement, vars...)
	}
	err := withBriefLock(tx, func(tx *gorm.DB) error {
		switch there := tx.Migrator().HasConstraint(table, name); {
		case there && !replace:
			return nil
		case there:
			if err := tx.Exec("ALTER TABLE ? DROP CONSTRAINT ?", clause.Table{Name: table}, clause.Column{Name: name}).Error; err != nil {
				return err
			}
		}
		return tx.Exec("ALTER TABLE ? ADD "+statement+" NOT VALID", vars...).Error
	})
	if err != nil {
		return err
	}
	return execLong(tx, "ALTER TABLE ? VALIDATE CONSTRAINT ?", clause.Table{Name: table}, clause.Column{Name: name})
}

// skipChecks makes MySQL add a foreign key without checking rows, in which it is
// null; otherwise MySQL would copy the table.
func skipChecks(add func(*gorm.DB) error) func(*gorm.DB) error {
	return func(tx *gorm.DB) error {
		if tx.Name() != "mysql" {
			return add(tx)
		}
		if err := tx.Exec("SET foreign_key_checks = 0").Error; err != nil {
			return err
		}
		err := add(tx)
		if checked := tx.Exec("SET foreign_key_checks = 1").Error; err == nil {
			err = checked
		}
		return err
	}
}

// notNullCheck is the constraint that proves to PostgreSQL that a column has no nulls, so
// that SET NOT NULL does not read the rows again.
type notNullCheck struct{ column string }

func (p notNullCheck) name() string { return fmt.Sprintf("required_%.50s", p.column) }

// Build implements constraint.
func (p notNullCheck) Build() (string, []any) {
	return "CONSTRAINT ? CHECK (? IS NOT NULL)", []any{clause.Column{Name: p.name()}, clause.Column{Name: p.column}}
}

// maxBatch is the maximum number of rows that are read at once.
const maxBatch = 1000

// batchSize is the number of rows that an online migration changes at once: as many as
// take about a twentieth of a second, for which others may wait, and few enough
// that they would not wait long even if the next ones took ten times as much.
type batchSize struct {
	rows  int
	begun time.Time
}

// next returns the number, adjusted by how long the last batch took.
func (p *batchSize) next() int {
	took := time.Since(p.begun)
	switch {
	case p.rows == 0:
		p.rows = 25
	case took > 60*time.Millisecond:
		p.rows = max(p.rows/2, 1)
	case took < 30*time.Millisecond:
		p.rows = min(p.rows*2, maxBatch/4)
	}
	p.begun = time.Now()
	return p.rows
}

// inBatches calls change for one batch of rows of a table after the other, each
// time in a transaction of its own; change appends and to its condition. Outside of
// online migrations it calls change once for all rows.
func inBatches(tx *gorm.DB, table string, change func(tx *gorm.DB, and string, vars []any) error) error {
	if !online(tx) {
		return change(tx, "", nil)
	}
	key, err := primaryKey(tx, table)
	if err != nil || len(key) == 0 {
		if err == nil {
			err = withBriefLock(tx, func(tx *gorm.DB) error { return change(tx, "", nil) })
		}
		return err
	}
	var columns []any
	for _, name := range key {
		columns = append(columns, clause.Column{Name: name})
	}
	list := strings.TrimSuffix(strings.Repeat("?, ", len(key)), ", ")
	var size batchSize
	for last := []any(nil); ; {
		and, vars := "", []any(nil)
		if last != nil {
			and, vars = " AND ("+list+") > ("+list+")", append(append(vars, columns...), last...)
		}
		query := append(append(append(append([]any{}, columns...), clause.Table{Name: table}), vars...), columns...)
		ends, err := records(tx.Raw("SELECT "+list+" FROM ? WHERE 1 = 1"+and+" ORDER BY "+list+" LIMIT 1 OFFSET ?", append(query, size.next()-1)...))
		if err != nil {
			return err
		}
		if len(ends) > 0 {
			and, vars = and+" AND ("+list+") <= ("+list+")", append(append(vars, columns...), ends[0]...)
		}
		if err := withBriefLock(tx, func(tx *gorm.DB) error { return change(tx, and, vars) }); err != nil {
			return err
		}
		if err := mergePending(tx, table); err != nil {
			return err
		}
		if len(ends) == 0 {
			return nil
		}
		last = ends[0]
	}
}

// mergePending makes PostgreSQL merge changed rows into the table's search index.
// Otherwise it merges many at once, in a transaction that then locks its rows for
// seconds.
func mergePending(tx *gorm.DB, table string) error {
	if !concurrent(tx) {
		return nil
	}
	return run(tx, `SELECT gin_clean_pending_list(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
		WHERE a.amname = 'gin' AND i.indisvalid AND i.indrelid = to_regclass(quote_ident(?))`, table)
}

// setDefault makes a value the default of a column of PostgreSQL, unless it has one.
func setDefault(tx *gorm.DB, table, column string, value any) error {
	var is struct {
		Kind string
		Has  bool
	}
	err := tx.Raw("SELECT format_type(atttypid, atttypmod) AS kind, atthasdef AS has FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(?)) AND attname = ?", table, column).Scan(&is).Error
	if err != nil || is.Has {
		return err
	}
	var literal string
	if err := tx.Raw("SELECT format('%L', CAST(? AS "+is.Kind+"))", value).Scan(&literal).Error; err != nil {
		return err
	}
	return run(tx, "ALTER TABLE ? ALTER COLUMN ? SET DEFAULT ?", clause.Table{Name: table}, clause.Column{Name: column}, clause.Expr{SQL: literal})
}

// primaryKey returns the columns of a table's primary key.
func primaryKey(tx *gorm.DB, table string) (columns []string, err error) {
	err = tx.Raw(map[string]string{
		"sqlite": "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk",
		"postgres": "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (attnum, n) " +
			"JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indisprimary AND i.indrelid = to_regclass(quote_ident(?)) ORDER BY k.n",
		"mysql": "SELECT column_name FROM information_schema.key_column_usage WHERE table_schema = database() AND table_name = ? " +
			"AND constraint_name = 'PRIMARY' ORDER BY ordinal_position",
	}[tx.Name()], table).Scan(&columns).Error
	return columns, err
}
