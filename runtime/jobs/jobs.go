package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// Queue runs jobs. Make it with New, register handlers with Handle, HandleTx
// and Schedule, then call Run; the fields may be changed before Run.
type Queue struct {
	// Workers is how many jobs run at once in this process; 8. Zero makes Run
	// keep the schedules and leave the jobs to other processes.
	Workers int
	// Poll is the longest pause between two looks for due jobs; 1 second. A
	// job enqueued by this process is seen at once, and on PostgreSQL one
	// enqueued by any; ten times as long may pass there.
	Poll time.Duration
	// Lease is after how long the jobs of a killed process run again; 30
	// seconds. It is renewed while a job runs, so jobs may take longer.
	Lease time.Duration
	// Backoff is the pause after the first failure; 5 seconds. It doubles with
	// every further one, to an hour, and varies by a quarter either way.
	Backoff time.Duration
	// Grace is how long running jobs may go on when the process stops; 2
	// seconds, and 7 under the command "work", which has nothing else to end.
	// Then their context ends, and what is unfinished runs again.
	Grace time.Duration

	db        *gorm.DB
	log       *slog.Logger
	handlers  map[string]handler
	schedules []schedule
	wake      chan struct{}
	listening atomic.Bool // the database tells of jobs
	err       error       // the first mistake in registering, returned by Run
}

// handler runs one claimed job. done says that it has already recorded the
// completion.
type handler func(ctx context.Context, j job) (done bool, err error)

// New returns a queue on gdb without handlers. It adds a callback to gdb that
// notices jobs enqueued through it, so it is called before gdb is in use.
func New(gdb *gorm.DB, log *slog.Logger) *Queue {
	q := &Queue{
		Workers: 8, Poll: time.Second, Lease: 30 * time.Second, Backoff: 5 * time.Second, Grace: 2 * time.Second,
		db: gdb, log: log, handlers: map[string]handler{}, wake: make(chan struct{}, 1),
	}
	q.err = gdb.Callback().Create().After("gorm:commit_or_rollback_transaction").
		Register(fmt.Sprintf("jobs:wake:%p", q), func(tx *gorm.DB) {
			if tx.Statement.Table == table && tx.Error == nil && !q.listening.Load() {
				q.nudge()
			}
		})
	return q
}

// nudge makes a sleeping worker look for jobs.
func (q *Queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// fail keeps the first mistake made while registering.
func (q *Queue) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}
