package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// pinned is a transaction that GORM cannot trace back to its pool: otherwise GORM's
// migrators would request another connection of the pool and wait for it forever.
type pinned struct{ *sql.Tx }

// bounded is a transaction that releases its slot in the pool when it ends.
//
// It ends with its context at the latest. Unlike a transaction of database/sql it
// does not break the connection then, which would cost a new one whenever a client
// hangs up.
type bounded struct {
	pinned
	limit        time.Duration // for its begin and its end; 0 for none
	cancel       context.CancelFunc
	end          func()
	recordResult func(error) error
	last         []func() error // what runs before the commit; see BeforeCommit
	marks        map[string]int // length of last at each savepoint
}

// BeforeCommit registers a function that runs in the transaction of tx just before
// it commits; if it fails, the transaction does not commit. Rolling back to a
// savepoint removes the functions that were registered since. Use it for locks that
// others wait for: they are held as briefly as possible, and all transactions take
// them in one order.
func BeforeCommit(tx *gorm.DB, do func(tx *gorm.DB) error) error {
	t, ok := tx.Statement.ConnPool.(*bounded)
	if !ok {
		return errors.New("db: BeforeCommit takes a transaction of a database of db.Open")
	}
	// With a context, the session has a statement, and so a connection, of its own.
	own := tx.Session(&gorm.Session{NewDB: true, Context: tx.Statement.Context})
	t.last = append(t.last, func() error { return do(own) })
	return nil
}

// mark tracks savepoints and rollbacks to them.
func (t *bounded) mark(statement string) {
	if name, ok := strings.CutPrefix(statement, "SAVEPOINT "); ok {
		if t.marks == nil {
			t.marks = map[string]int{}
		}
		t.marks[name] = len(t.last)
	} else if name, ok := strings.CutPrefix(statement, "ROLLBACK TO SAVEPOINT "); ok {
		t.last = t.last[:min(t.marks[name], len(t.last))]
	}
}

// begin begins a transaction in pool. release is called once: when the transaction
// has ended, or immediately if it cannot begin.
func begin(ctx context.Context, pool *sql.DB, o *sql.TxOptions, limit time.Duration, release func(), recordResult func(error) error) (*bounded, error) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &bounded{limit: limit, cancel: cancel, recordResult: recordResult}
	var err error
	_ = t.withTimeout(func() error {
		t.Tx, err = pool.BeginTx(own, o)
		return err
	})
	if err != nil {
		cancel()
		release()
		return nil, recordResult(err)
	}
	over := sync.OnceFunc(func() { cancel(); release() })
	stop := context.AfterFunc(ctx, func() {
		_ = t.withTimeout(t.Tx.Rollback)
		over()
	})
	t.end = func() { stop(); over() }
	return t, nil
}

// withTimeout cancels the transaction if do takes too long, as with a silent server.
func (t *bounded) withTimeout(do func() error) error {
	if t.limit > 0 {
		watchdog := time.AfterFunc(t.limit, t.cancel)
		defer watchdog.Stop()
	}
	return do()
}

// Commit implements gorm.TxCommitter.
func (t *bounded) Commit() error {
	for _, do := range t.last {
		if err := do(); err != nil {
			_ = t.Rollback()
			return err
		}
	}
	defer t.end()
	return t.recordResult(t.withTimeout(t.Tx.Commit))
}

// Rollback implements gorm.TxCommitter.
func (t *bounded) Rollback() error {
	defer t.end()
	return t.withTimeout(t.Tx.Rollback)
}

// ExecContext implements gorm.ConnPool.
func (t *bounded) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := t.Tx.ExecContext(ctx, query, args...)
	if err != nil {
		return result, t.recordResult(err)
	}
	t.mark(query)
	return result, nil
}

// QueryContext implements gorm.ConnPool.
func (t *bounded) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := t.Tx.QueryContext(ctx, query, withFreshPlan(query, args)...)
	if err != nil {
		err = t.recordResult(err)
	}
	return rows, err
}

// ownTransaction is a transaction around a single statement of GORM.
type ownTransaction struct {
	tx   *gorm.DB
	pool gorm.ConnPool // the statement's original pool
}

// beginOwn puts the statement of tx into a transaction of its own; it returns nil
// if the caller has begun one.
func beginOwn(tx *gorm.DB) (*ownTransaction, error) {
	s := tx.Statement
	if _, inside := s.ConnPool.(gorm.TxCommitter); inside || s.DryRun {
		return nil, nil
	}
	begun := tx.Session(&gorm.Session{NewDB: true, Context: s.Context}).Begin()
	if begun.Error != nil {
		return nil, begun.Error
	}
	own := &ownTransaction{tx: begun, pool: s.ConnPool}
	s.ConnPool = begun.Statement.ConnPool
	return own, nil
}

// beginWatched is beginOwn for plug-ins that track what programs write. It reports
// false in migrations, which are not tracked: their connection is left as it is.
func beginWatched(tx *gorm.DB) (*ownTransaction, bool) {
	own, err := beginOwn(tx)
	if err != nil {
		_ = tx.AddError(err)
		return nil, false
	}
	if _, program := tx.Statement.ConnPool.(*bounded); program {
		return own, true
	}
	if own != nil {
		own.end(tx, false)
	}
	return nil, false
}

// end commits or rolls back what tx has done, and restores the pool of tx.
func (o *ownTransaction) end(tx *gorm.DB, commit bool) {
	tx.Statement.ConnPool = o.pool
	if !commit {
		_ = o.tx.Rollback()
		return
	}
	_ = tx.AddError(o.tx.Commit().Error)
}

// lockReferenced locks the rows that are read, so that no other transaction deletes them,
// softly or not, before this one ends, as PostgreSQL and InnoDB do for a foreign
// key. SQLite has one writing transaction at a time.
func lockReferenced(tx *gorm.DB) clause.Locking {
	if tx.Name() == "postgres" {
		return clause.Locking{Strength: "KEY SHARE"} // does not block other updates
	}
	return clause.Locking{Strength: clause.LockingStrengthShare}
}

// lockForDelete locks the rows that are read for their deletion.
func lockForDelete() clause.Locking { return clause.Locking{Strength: clause.LockingStrengthUpdate} }

// diskState records whether the last write failed because the disk is full.
type diskState struct{ full atomic.Bool }

// recordResult records the result of a write and returns it.
func (s *diskState) recordResult(err error) error {
	switch {
	case err == nil:
		if s.full.Load() {
			s.full.Store(false)
		}
	case inspect(err).kind == full:
		s.full.Store(true)
	}
	return err
}

// diskFull reports whether the last write failed because the disk is full.
func (s *diskState) diskFull() bool { return s.full.Load() }
