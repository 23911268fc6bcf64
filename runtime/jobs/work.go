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
	soon       = 10 * time.Millisecond // the first pause after there was work; it doubles up to Poll
	maxBackoff = time.Hour
	statement  = 10 * time.Second // for statements that must outlive the work's own context
	abandon    = time.Second / 2  // how long jobs may take to notice that their context ended
	idlePolls  = 10               // polls that one who listens leaves out
)

var errStopping = errors.New("the process is stopping")

func now() int64 { return time.Now().UnixMilli() }

// Run works until ctx ends, then lets running jobs finish for Grace, ends
// their context, and returns within half a second more. It returns an error only
// for mistakes made while registering. An outage of the database, such as a
// table that no migration has made yet, is logged when it begins and when it
// ends, and tried again after growing pauses of up to 30 seconds.
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

// work claims and runs jobs until ctx ends.
func (q *Queue) work(ctx context.Context) {
	workCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var jobs sync.WaitGroup
	free, freed := q.Workers, make(chan int, q.Workers)
	records := recorder{queue: q, done: make(chan completion), freed: freed, running: new(atomic.Int64)}
	stopped := make(chan struct{})
	defer close(stopped)
	go records.run(stopped)
	looking := outage{log: q.log.With("doing", "looking for jobs")}
	for delay := soon; ctx.Err() == nil; {
		if free += taken(ctx, freed, free == 0); free == 0 {
			continue
		}
		claimed, err := q.claim(ctx, free)
		if ctx.Err() == nil {
			looking.note(err)
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
			delay = looking.pause(q.Poll)
		case q.listening.Load():
			delay = q.untilDue(ctx)
		case len(claimed) > 0:
			delay = soon
		}
		select {
		case <-ctx.Done():
		case <-q.wake: // the transaction may not be committed yet, so the next looks come soon
			delay = soon
		case <-time.After(delay):
			delay = min(delay*2, q.Poll)
		}
	}
	if !waitFor(&jobs, q.Grace) {
		cancel(errStopping)
		if !waitFor(&jobs, abandon) {
			q.log.Warn("jobs still running at shutdown; they run again when their lease expires")
		}
	}
}

// taken is how many places were freed since; it waits for one where it must.
func taken(ctx context.Context, freed <-chan int, wait bool) (n int) {
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

// untilDue is how long nothing is due, as far as is known: whoever makes a job
// says so to those that listen. What others have died with is looked for now and
// then.
func (q *Queue) untilDue(ctx context.Context) time.Duration {
	rest := idlePolls * q.Poll
	var next []int64
	err := q.db.WithContext(ctx).Model(&job{}).Where("due_at IS NOT NULL AND kind IN ?", q.kinds()).Order("due_at").Limit(1).Pluck("due_at", &next).Error
	if err != nil || len(next) == 0 {
		return rest
	}
	return min(max(time.Until(time.UnixMilli(next[0])), time.Millisecond), rest)
}

func (q *Queue) kinds() []string { return slices.Sorted(maps.Keys(q.handlers)) }

// keepListening hears of jobs that other processes make, where the database
// tells of them.
func (q *Queue) keepListening(ctx context.Context) {
	if q.db.Name() != "postgres" {
		return
	}
	for ctx.Err() == nil {
		var told bool // by what a migration makes, which may be to come
		err := q.db.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass('jobs') AND tgname = 'jobs_notify')").Scan(&told).Error
		if err == nil && told {
			err = db.Listen(ctx, q.db, table, func() {
				q.listening.Store(true)
				q.nudge()
			})
			q.listening.Store(false) // until it does again, it polls
			q.nudge()
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

// tell wakes those that listen for jobs that became due otherwise than by being
// made, of which the database tells by itself.
func (q *Queue) tell(tx *gorm.DB) {
	if tx.Name() == "postgres" {
		_ = tx.Exec("SELECT pg_notify(?, '')", table).Error // if not, they look by themselves
	}
}

// claim takes up to n due jobs that this process has handlers for.
func (q *Queue) claim(ctx context.Context, n int) ([]job, error) {
	kinds := q.kinds()
	if len(kinds) == 0 {
		return nil, nil
	}
	at := now()
	if q.db.Name() == "postgres" {
		return q.claimAtOnce(ctx, kinds, at, n)
	}
	due := func(tx *gorm.DB) *gorm.DB { return tx.Where("due_at <= ? AND kind IN ?", at, kinds) }

	// An idle queue costs one read, and no lock.
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
			if j.Attempts >= j.MaxAttempts { // it was running, and took its process with it every time
				if err := finish(tx, j, ended(dead, diedWith)); err != nil {
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

// diedWith is what is known of a job that was running, and took its process with
// it every time.
const diedWith = "the process died while running the job"

// claimAtOnce is claim in one statement, by the words of PostgreSQL.
func (q *Queue) claimAtOnce(ctx context.Context, kinds []string, at int64, n int) ([]job, error) {
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
		changes := ended(dead, diedWith)
		changes["attempts"] = j.Attempts - 1
		err = errors.Join(err, finish(tx, j, changes))
	}
	return claimed, err
}

// isolation keeps MySQL from locking the gaps between rows, where other
// transactions insert.
func (q *Queue) isolation() *sql.TxOptions {
	if q.sqlite() {
		return nil
	}
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

func (q *Queue) sqlite() bool { return q.db.Name() == "sqlite" }

// run runs one claimed job and records how it ended, which frees its place.
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
	inside := ctx // what is around the work has its say in the log
	err := web.Background(ctx, web.Work{
		Name: "job " + j.Kind, About: []slog.Attr{slog.Int64("job", j.ID), slog.Int("attempt", j.Attempts)},
		Do: func(ctx context.Context) (err error) {
			inside = ctx
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
		// Not a failure: it runs again at once, elsewhere or after the restart.
		err = q.record(ctx, j, map[string]any{"state": ready, "due_at": now(), "attempts": j.Attempts - 1})
		q.tell(q.db.WithContext(context.WithoutCancel(ctx)))
	case errors.As(err, &permanent{}) || j.Attempts >= j.MaxAttempts:
		log.ErrorContext(inside, "job is dead", "error", err, "retry", fmt.Sprintf("jobs retry %d", j.ID))
		err = q.record(ctx, j, ended(dead, err.Error()))
	default:
		pause := backoff(q.Backoff, j.Attempts)
		log.WarnContext(inside, "job failed", "error", err, "again_in", pause.Round(time.Millisecond))
		err = q.record(ctx, j, map[string]any{"state": ready, "due_at": now() + pause.Milliseconds(), "last_error": short(err.Error())})
		q.nudge() // to know when it is due
	}
	if err != nil {
		log.WarnContext(inside, "job result not recorded; it may run again", "error", err)
		return
	}
	log.DebugContext(inside, "job ran", "took", time.Since(start))
}

// call runs the handler and turns a panic into an error.
func (q *Queue) call(ctx context.Context, j job) (recorded bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			q.log.ErrorContext(ctx, "job panicked", "job", j.ID, "kind", j.Kind, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return q.handlers[j.Kind](ctx, j)
}

// keepLease renews the lease until ctx ends, and ends it when the job belongs
// to somebody else.
func (q *Queue) keepLease(ctx context.Context, cancel context.CancelCauseFunc, j job) {
	beat := time.NewTicker(max(q.Lease/3, time.Millisecond))
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
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

// record writes how a job ended, even when its own context is over.
func (q *Queue) record(ctx context.Context, j job, changes map[string]any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statement)
	defer cancel()
	return finish(q.db.WithContext(ctx), j, changes)
}

// finish changes the row if it still belongs to this attempt.
func finish(tx *gorm.DB, j job, changes map[string]any) error {
	result := tx.Model(&job{}).Where("id = ? AND attempts = ? AND state IN ?", j.ID, j.Attempts, []string{ready, running}).Updates(changes)
	if result.Error == nil && result.RowsAffected == 0 {
		return errLost
	}
	return result.Error
}

// ended returns the changes that end a job for good.
func ended(state, reason string) map[string]any {
	return map[string]any{"state": state, "due_at": nil, "finished_at": now(), "last_error": short(reason)}
}

// short fits text into its column.
func short(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if r := []rune(text); len(r) > 1000 {
		return string(r[:1000]) + "..."
	}
	return text
}

// backoff returns the pause after a number of failed attempts: doubled each
// time, at most an hour, a quarter more or less so that jobs that failed
// together do not come back together.
func backoff(first time.Duration, attempts int) time.Duration {
	pause := maxBackoff
	if shift := attempts - 1; shift < 20 {
		pause = min(first<<shift, maxBackoff)
	}
	return time.Duration(float64(pause) * (0.75 + rand.Float64()/2)) // #nosec G404 -- jitter is no secret
}

// waitFor reports whether the group ended within d.
func waitFor(group *sync.WaitGroup, d time.Duration) bool {
	over := make(chan struct{})
	go func() { group.Wait(); close(over) }()
	select {
	case <-over:
		return true
	case <-time.After(d):
		return false
	}
}
