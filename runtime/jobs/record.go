package jobs

import (
	"context"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// completion is a finished job waiting to be recorded.
type completion struct {
	job
	written chan error
}

// recorder records completed jobs: those that finish within gather of each other, or
// while it writes, in one statement.
type recorder struct {
	queue   *Queue
	done    chan completion
	freed   chan<- int // receives the number of freed slots
	running *atomic.Int64
}

// batchWait is how long a completed job waits for others that are running.
const batchWait = 2 * time.Millisecond

// free releases slots.
func (r recorder) free(places int) {
	r.running.Add(int64(-places))
	r.freed <- places
}

// finish waits until the completion of j is recorded. taken reports whether the
// recorder has taken over releasing its slot.
func (r recorder) finish(ctx context.Context, j job) (taken bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*statementTimeout)
	defer cancel()
	c := completion{j, make(chan error, 1)}
	select {
	case r.done <- c:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case err = <-c.written:
		return true, err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// run records completions until stopped is closed.
func (r recorder) run(stopped <-chan struct{}) {
	for {
		select {
		case <-stopped:
			return
		case first := <-r.done:
			all := []completion{first}
			timeout := time.After(batchWait)
			for more := true; more && int64(len(all)) < r.running.Load(); {
				select {
				case c := <-r.done:
					all = append(all, c)
				case <-timeout:
					more = false
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
			errs := finishAll(r.queue.db.WithContext(ctx), all)
			cancel()
			r.free(len(all))
			for i, c := range all {
				c.written <- errs[i]
			}
		}
	}
}

// finishAll records the completion of jobs, in one statement per number of attempts,
// and returns the error of each.
func finishAll(tx *gorm.DB, all []completion) []error {
	errs := make([]error, len(all))
	ids := map[int][]int64{} // by attempts
	for _, c := range all {
		ids[c.Attempts] = append(ids[c.Attempts], c.ID)
	}
	written := map[int64]bool{}
	for attempts, ids := range ids {
		result := tx.Model(&job{}).Where("id IN ? AND attempts = ? AND state IN ?", ids, attempts, []string{ready, running}).Updates(completed())
		if result.Error == nil && result.RowsAffected < int64(len(ids)) { // find out which were lost
			var found []int64
			result.Error = tx.Model(&job{}).Where("id IN ? AND attempts = ? AND state = ?", ids, attempts, done).Pluck("id", &found).Error
			ids = found
		}
		if result.Error == nil {
			for _, id := range ids {
				written[id] = true
			}
		}
	}
	for i, c := range all {
		if !written[c.ID] {
			errs[i] = finish(tx, c.job, completed())
		}
	}
	return errs
}

// completed returns the changes that mark a job as done.
func completed() map[string]any {
	return map[string]any{"state": done, "due_at": nil, "finished_at": now(), "last_error": ""}
}
