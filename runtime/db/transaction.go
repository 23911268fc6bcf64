package db

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"
)

// pinned is a transaction that GORM cannot trace back to its pool: its
// migrators would otherwise ask the pool for another connection, for which
// they would wait for ever.
type pinned struct{ *sql.Tx }

// bounded is a transaction that gives its place in the pool free when it ends.
//
// It ends with its context at the latest, but not as those of database/sql do,
// which break the connection on the way: a client that hangs up would cost the
// others a new one.
type bounded struct {
	pinned
	limit  time.Duration // for its beginning and its end; 0 for none
	cancel context.CancelFunc
	end    func()
	noted  func(error) error
}

// begin begins a transaction in pool. release is called once, when it has
// ended, or at once where it does not begin.
func begin(ctx context.Context, pool *sql.DB, o *sql.TxOptions, limit time.Duration, release func(), noted func(error) error) (*bounded, error) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &bounded{limit: limit, cancel: cancel, noted: noted}
	var err error
	_ = t.within(func() error {
		t.Tx, err = pool.BeginTx(own, o)
		return err
	})
	if err != nil {
		cancel()
		release()
		return nil, noted(err)
	}
	over := sync.OnceFunc(func() { cancel(); release() })
	stop := context.AfterFunc(ctx, func() {
		_ = t.within(t.Tx.Rollback)
		over()
	})
	t.end = func() { stop(); over() }
	return t, nil
}

// within gives up the connection when a server that is silent does not end do.
func (t *bounded) within(do func() error) error {
	if t.limit > 0 {
		watchdog := time.AfterFunc(t.limit, t.cancel)
		defer watchdog.Stop()
	}
	return do()
}

// Commit implements gorm.TxCommitter.
func (t *bounded) Commit() error {
	defer t.end()
	return t.noted(t.within(t.Tx.Commit))
}

// Rollback implements gorm.TxCommitter.
func (t *bounded) Rollback() error {
	defer t.end()
	return t.within(t.Tx.Rollback)
}

// ExecContext implements gorm.ConnPool.
func (t *bounded) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := t.Tx.ExecContext(ctx, query, args...)
	if err != nil {
		err = t.noted(err)
	}
	return result, err
}

// QueryContext implements gorm.ConnPool.
func (t *bounded) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := t.Tx.QueryContext(ctx, query, planned(query, args)...)
	if err != nil {
		err = t.noted(err)
	}
	return rows, err
}

// space is whether the last write found some.
type space struct{ full atomic.Bool }

// noted keeps in mind what a write ended with.
func (s *space) noted(err error) error {
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

// spaceless tells whether the last write found none.
func (s *space) spaceless() bool { return s.full.Load() }
