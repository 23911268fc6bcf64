package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// Queue runs jobs. Create it with New, register handlers with Handle, HandleTx and
// Schedule, then call Run. The fields may be changed before Run.
type Queue struct {
	// Workers is the number of jobs run concurrently by this process; the default is 8.
	// With zero, Run maintains the schedules and leaves the jobs to other processes.
	Workers int
	// Poll is the maximum interval between checks for due jobs; the default is 1
	// second. A job enqueued by this process is noticed immediately, as is any job on
	// PostgreSQL, where the interval may be ten times as long.
	Poll time.Duration
	// Lease is the time after which the jobs of a killed process run again; the default
	// is 30 seconds. It is renewed while a job runs, so jobs may take longer.
	Lease time.Duration
	// Backoff is the pause after the first failure; the default is 5 seconds. It
	// doubles with every further failure, up to an hour, with a jitter of a quarter.
	Backoff time.Duration
	// Grace is how long running jobs may continue when the process stops; the default
	// is 2 seconds, and 7 for the command "work", which has nothing else to shut down.
	// After that their context is cancelled, and unfinished jobs run again.
	Grace time.Duration

	db        *gorm.DB
	log       *slog.Logger
	handlers  map[string]handler
	schedules []schedule
	wake      chan struct{}
	listening atomic.Bool // the database notifies of new jobs
	err       error       // first registration error, returned by Run
}

// handler runs a claimed job. done reports that it has already recorded the completion.
type handler func(ctx context.Context, j job) (done bool, err error)

// New returns a queue on gdb without handlers. It adds a callback to gdb that notices
// jobs enqueued through it, so call it before gdb is in use.
func New(gdb *gorm.DB, log *slog.Logger) *Queue {
	q := &Queue{
		Workers: 8, Poll: time.Second, Lease: 30 * time.Second, Backoff: 5 * time.Second, Grace: 2 * time.Second,
		db: gdb, log: log, handlers: map[string]handler{}, wake: make(chan struct{}, 1),
	}
	q.err = gdb.Callback().Create().After("gorm:commit_or_rollback_transaction").
		Register(fmt.Sprintf("jobs:wake:%p", q), func(tx *gorm.DB) {
			if tx.Statement.Table == table && tx.Error == nil && !q.listening.Load() {
				q.wakeWorker()
			}
		})
	return q
}

// wakeWorker wakes up a sleeping worker.
func (q *Queue) wakeWorker() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// fail records the first registration error.
func (q *Queue) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}
