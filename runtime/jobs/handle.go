package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// errLost means that another worker has claimed the job, or that it was cancelled.
var errLost = errors.New("the lease was lost")

// permanent marks an error that a retry cannot fix.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent wraps an error that a retry cannot fix: the job is dead immediately.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// Handle registers work as the handler of kind. A job runs at least once: if the
// process dies after the work and before the completion is recorded, it runs again, so
// the work must be idempotent; use [HandleTx] for work that must not run twice. After
// an error or a panic the job is retried with backoff. ctx is cancelled when the
// process stops, when the job is cancelled and when its lease is lost.
func Handle[T any](q *Queue, kind string, work func(ctx context.Context, payload T) error) {
	register(q, kind, func(ctx context.Context, _ job, payload T) (bool, error) {
		return false, work(ctx, payload)
	})
}

// HandleTx registers work whose only effects are in the database: they commit together
// with the job's completion, so they take effect exactly once.
func HandleTx[T any](q *Queue, kind string, work func(ctx context.Context, tx *gorm.DB, payload T) error) {
	register(q, kind, func(ctx context.Context, j job, payload T) (bool, error) {
		err := q.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := work(ctx, tx, payload); err != nil {
				return err
			}
			return finish(tx, j, completed())
		})
		return err == nil, err
	})
}

func register[T any](q *Queue, kind string, work func(context.Context, job, T) (bool, error)) {
	if _, taken := q.handlers[kind]; taken {
		q.fail(fmt.Errorf("kind %q has two handlers; rename one", kind))
		return
	}
	q.handlers[kind] = func(ctx context.Context, j job) (bool, error) {
		var payload T
		if err := json.Unmarshal([]byte(j.Payload), &payload); err != nil {
			return false, Permanent(fmt.Errorf("payload: %w", err))
		}
		return work(ctx, j, payload)
	}
}
