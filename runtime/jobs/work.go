package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

const (
	minPause         = 10 * time.Millisecond // first pause after a claim; it doubles up to Poll
	maxBackoff       = time.Hour
	statementTimeout = 10 * time.Second // for statements that must outlive the job's own context
	cancelWait       = time.Second / 2  // how long jobs may take to return after their context is cancelled
	idlePolls        = 10               // multiple of Poll at which a process that listens polls
)

var errStopping = errors.New("the process is stopping")

func now() int64 { return time.Now().UnixMilli() }

// Run runs jobs until ctx is cancelled, then lets running jobs finish for Grace,
// cancels their context, and returns within another half second. It returns an error
// only for registration errors. A database failure, such as a table whose migration has
// not run, is logged when it begins and when it ends, and retried with pauses growing
// to 30 seconds.
func (q *Queue) Run(ctx context.Context) error {
	if q.err != nil {
		return q.err
	}
	var background sync.WaitGroup
	for _, s := range q.schedules {
		background.Go(func() { q.keepSchedule(ctx, s) })
	}
	if q.Workers > 0 {
		background.Go(func() { q.keepClean(ctx) })
		background.Go(func() { q.keepListening(ctx) })
		q.work(ctx)
	}
	<-ctx.Done()
	background.Wait()
	return nil
}

// work claims and runs jobs until ctx is cancelled.
func (q *Queue) work(ctx context.Context) {
	workCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var jobs sync.WaitGroup
	free, freed := q.Workers, make(chan int, q.Workers)
	records := recorder{queue: q, done: make(chan completion), freed: freed, running: new(atomic.Int64)}
	stopped := make(chan struct{})
	defer close(stopped)
	go records.run(stopped)
	claiming := outage{log: q.log.With("doing", "looking for jobs")}
	for delay := minPause; ctx.Err() == nil; {
		if free += receiveFreed(ctx, freed, free == 0); free == 0 {
			continue
		}
		claimed, err := q.claim(ctx, free)
		if ctx.Err() == nil {
			claiming.note(err)
		}
		records.running.Add(int64(len(claimed)))
		for _, j := range claimed {
			jobs.Go(func() { q.run(workCtx, j, records) })
		}
		if free -= len(claimed); free == 0 {
			continue
		}
		switch {
		case err != nil:
			delay = claiming.pause(q.Poll)
		case q.listening.Load():
			delay = q.untilDue(ctx)
		case len(claimed) > 0:
			delay = minPause
		}
		select {
		case <-ctx.Done():
		case <-q.wake: // the transaction may not be committed yet: poll quickly for a while
			delay = minPause
		case <-time.After(delay):
			delay = min(delay*2, q.Poll)
		}
	}
	if !waitFor(&jobs, q.Grace) {
		cancel(errStopping)
		if !waitFor(&jobs, cancelWait) {
			q.log.Warn("jobs still running at shutdown; they run again when their lease expires")
		}
	}
}

// receiveFreed returns the number of slots freed meanwhile. With wait it waits for at
// least one.
func receiveFreed(ctx context.Context, freed <-chan int, wait bool) (n int) {
	if wait {
		select {
		case n = <-freed:
		case <-ctx.Done():
		}
	}
	for {
		select {
		case more := <-freed:
			n += more
		default:
			return n
		}
	}
}

// untilDue returns how long no job is due, as far as is known: listeners are notified
// of new jobs. The limit is for the jobs of processes that died.
func (q *Queue) untilDue(ctx context.Context) time.Duration {
	limit := idlePolls * q.Poll
	var next []int64
	err := q.db.WithContext(ctx).Model(&job{}).Where("due_at IS NOT NULL AND kind IN ?", q.kinds()).Order("due_at").Limit(1).Pluck("due_at", &next).Error
	if err != nil || len(next) == 0 {
		return limit
	}
	return min(max(time.Until(time.UnixMilli(next[0])), time.Millisecond), limit)
}

func (q *Queue) kinds() []string { return slices.Sorted(maps.Keys(q.handlers)) }

// keepListening receives notifications of jobs enqueued by other processes, if the
// database supports that.
func (q *Queue) keepListening(ctx context.Context) {
	if q.db.Name() != "postgres" {
		return
	}
	for ctx.Err() == nil {
		var triggerExists bool // the trigger exists; its migration may still have to run
		err := q.db.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass('jobs') AND tgname = 'jobs_notify')").Scan(&triggerExists).Error
		if err == nil && triggerExists {
			err = db.Listen(ctx, q.db, table, func() {
				q.listening.Store(true)
				q.wakeWorker()
			})
			q.listening.Store(false) // poll until it listens again
			q.wakeWorker()
		}
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(q.Poll):
		}
	}
}

// notifyListeners notifies listeners of jobs that became due by an update; for inserts
// the trigger does that.
func (q *Queue) notifyListeners(tx *gorm.DB) {
	if tx.Name() == "postgres" {
		_ = tx.Exec("SELECT pg_notify(?, '')", table).Error // on failure they notice by polling
	}
}

// claim claims up to n due jobs that this process has handlers for.
func (q *Queue) claim(ctx context.Context, n int) ([]job, error) {
	kinds := q.kinds()
	if len(kinds) == 0 {
		return nil, nil
	}
	at := now()
	if q.db.Name() == "postgres" {
		return q.claimPostgres(ctx, kinds, at, n)
	}
	due := func(tx *gorm.DB) *gorm.DB { return tx.Where("due_at <= ? AND kind IN ?", at, kinds) }

	// An idle queue costs one read and no lock.
	var ids []int64
	err := due(q.db.WithContext(ctx).Model(&job{})).Limit(1).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return nil, err
	}

	var claimed []job
	err = q.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		claimed = nil
		var found []job
		pick := due(tx).Order("due_at, id").Limit(n)
		if !q.sqlite() {
			pick = pick.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate, Options: clause.LockingOptionsSkipLocked})
		}
		if err := pick.Find(&found).Error; err != nil {
			return err
		}
		ids = ids[:0]
		for _, j := range found {
			if j.Attempts >= j.MaxAttempts { // it was running, and its process died every time
				if err := finish(tx, j, ended(dead, processDied)); err != nil {
					return err
				}
				continue
			}
			j.Attempts++
			claimed = append(claimed, j)
			ids = append(ids, j.ID)
		}
		if len(ids) == 0 {
			return nil
		}
		return tx.Model(&job{}).Where("id IN ?", ids).Updates(map[string]any{
			"state": running, "attempts": gorm.Expr("attempts + 1"), "due_at": at + q.Lease.Milliseconds(),
		}).Error
	}, q.isolation())
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// processDied is the error of a job that was running when its process died, on every
// attempt.
const processDied = "the process died while running the job"

// claimPostgres is claim in a single statement, for PostgreSQL.
func (q *Queue) claimPostgres(ctx context.Context, kinds []string, at int64, n int) ([]job, error) {
	tx := q.db.WithContext(ctx)
	var found, claimed []job
	err := tx.Raw("UPDATE jobs SET state = ?, attempts = attempts + 1, due_at = ? WHERE id = ANY(ARRAY("+
		"SELECT id FROM jobs WHERE due_at <= ? AND kind IN ? ORDER BY due_at, id LIMIT ? FOR UPDATE SKIP LOCKED)) RETURNING *",
		running, at+q.Lease.Milliseconds(), at, kinds, n).Scan(&found).Error
	for _, j := range found {
		if j.Attempts <= j.MaxAttempts {
			claimed = append(claimed, j)
			continue
		}
		changes := ended(dead, processDied)
		changes["attempts"] = j.Attempts - 1
		err = errors.Join(err, finish(tx, j, changes))
	}
	return claimed, err
}

// isolation prevents MySQL from locking the gaps between rows, where other transactions
// insert.
func (q *Queue) isolation() *sql.TxOptions {
	if q.sqlite() {
		return nil
	}
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

func (q *Queue) sqlite() bool { return q.db.Name() == "sqlite" }

// run runs a claimed job and records the result, which releases its slot.
func (q *Queue) run(ctx context.Context, j job, records recorder) {
	freed := false
	defer func() {
		if !freed {
			records.free(1)
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	released := make(chan struct{})
	go func() {
		defer close(released)
		q.keepLease(ctx, cancel, j)
	}()
	start := time.Now()
	var recorded bool
	jobCtx := ctx // the context set up by web.Background, for the log
	err := web.Background(ctx, web.Work{
		Name: "job " + j.Kind, About: []slog.Attr{slog.Int64("job", j.ID), slog.Int("attempt", j.Attempts)},
		Do: func(ctx context.Context) (err error) {
			jobCtx = ctx
			recorded, err = q.call(ctx, j)
			return err
		},
	})
	stopping := errors.Is(context.Cause(ctx), errStopping)
	cancel(nil)
	<-released

	log := q.log.With("job", j.ID, "kind", j.Kind, "attempt", j.Attempts)
	switch {
	case recorded:
	case err == nil:
		freed, err = records.finish(ctx, j)
	case errors.Is(err, errLost):
	case stopping:
		// Not a failure: it runs again immediately, elsewhere or after the restart.
		err = q.record(ctx, j, map[string]any{"state": ready, "due_at": now(), "attempts": j.Attempts - 1})
		q.notifyListeners(q.db.WithContext(context.WithoutCancel(ctx)))
	case errors.As(err, &permanent{}) || j.Attempts >= j.MaxAttempts:
		log.ErrorContext(jobCtx, "job is dead", "error", err, "retry", fmt.Sprintf("jobs retry %d", j.ID))
		err = q.record(ctx, j, ended(dead, err.Error()))
	default:
		pause := backoff(q.Backoff, j.Attempts)
		log.WarnContext(jobCtx, "job failed", "error", err, "again_in", pause.Round(time.Millisecond))
		err = q.record(ctx, j, map[string]any{"state": ready, "due_at": now() + pause.Milliseconds(), "last_error": truncate(err.Error())})
		q.wakeWorker() // to learn when it is due
	}
	if err != nil {
		log.WarnContext(jobCtx, "job result not recorded; it may run again", "error", err)
		return
	}
	log.DebugContext(jobCtx, "job ran", "took", time.Since(start))
}

// call runs the handler and converts a panic into an error.
func (q *Queue) call(ctx context.Context, j job) (recorded bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			q.log.ErrorContext(ctx, "job panicked", "job", j.ID, "kind", j.Kind, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return q.handlers[j.Kind](ctx, j)
}

// keepLease renews the lease until ctx is done, and cancels the job if it belongs to
// another worker.
func (q *Queue) keepLease(ctx context.Context, cancel context.CancelCauseFunc, j job) {
	tick := time.NewTicker(max(q.Lease/3, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := finish(q.db.WithContext(ctx), j, map[string]any{"due_at": now() + q.Lease.Milliseconds()})
		if errors.Is(err, errLost) {
			cancel(errLost)
			return
		}
		if err != nil && ctx.Err() == nil {
			q.log.Warn("job lease not renewed", "job", j.ID, "error", err)
		}
	}
}

// record records the result of a job, even if its own context is done.
func (q *Queue) record(ctx context.Context, j job, changes map[string]any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	return finish(q.db.WithContext(ctx), j, changes)
}

// finish updates the row if it still belongs to this attempt.
func finish(tx *gorm.DB, j job, changes map[string]any) error {
	result := tx.Model(&job{}).Where("id = ? AND attempts = ? AND state IN ?", j.ID, j.Attempts, []string{ready, running}).Updates(changes)
	if result.Error == nil && result.RowsAffected == 0 {
		return errLost
	}
	return result.Error
}

// ended returns the changes that mark a job as finished.
func ended(state, reason string) map[string]any {
	return map[string]any{"state": state, "due_at": nil, "finished_at": now(), "last_error": truncate(reason)}
}

// truncate truncates text to the size of its column.
func truncate(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if r := []rune(text); len(r) > 1000 {
		return string(r[:1000]) + "..."
	}
	return text
}

// backoff returns the pause after a number of failed attempts: doubled each time, at
// most an hour, with a jitter of a quarter so that jobs that failed together are not
// retried together.
func backoff(first time.Duration, attempts int) time.Duration {
	pause := maxBackoff
	if shift := attempts - 1; shift < 20 {
		pause = min(first<<shift, maxBackoff)
	}
	return time.Duration(float64(pause) * (0.75 + rand.Float64()/2)) // #nosec G404 -- jitter is not a secret
}

// waitFor reports whether the group finished within d.
func waitFor(group *sync.WaitGroup, d time.Duration) bool {
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	select {
	case <-finished:
		return true
	case <-time.After(d):
		return false
	}
}
