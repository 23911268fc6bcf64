package jobs

import (
	"context"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// completion is a job that is done, and waits until that is written.
type completion struct {
	job
	written chan error
}

// recorder writes that jobs are done: those that are at about the same time, or
// while it writes, in one statement.
type recorder struct {
	queue   *Queue
	done    chan completion
	freed   chan<- int // takes how many places are free again
	running *atomic.Int64
}

// gather is how long a job that is done waits for others that run.
const gather = 2 * time.Millisecond

// free says that places are free again.
func (r recorder) free(places int) {
	r.running.Add(int64(-places))
	r.freed <- places
}

// finish waits until it is written that j is done. taken says that its place is
// free, or soon will be.
func (r recorder) finish(ctx context.Context, j job) (taken bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*statement)
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

// run writes until stopped is closed.
func (r recorder) run(stopped <-chan struct{}) {
	for {
		select {
		case <-stopped:
			return
		case first := <-r.done:
			all := []completion{first}
			enough := time.After(gather)
			for more := true; more && int64(len(all)) < r.running.Load(); {
				select {
				case c := <-r.done:
					all = append(all, c)
				case <-enough:
					more = false
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), statement)
			errs := finishAll(r.queue.db.WithContext(ctx), all)
			cancel()
			r.free(len(all))
			for i, c := range all {
				c.written <- errs[i]
			}
		}
	}
}

// finishAll writes that jobs are done, in a statement for all that were tried as
// often, and says of which it could not.
func finishAll(tx *gorm.DB, all []completion) []error {
	errs := make([]error, len(all))
	ids := map[int][]int64{} // by attempts
	for _, c := range all {
		ids[c.Attempts] = append(ids[c.Attempts], c.ID)
	}
	written := map[int64]bool{}
	for attempts, ids := range ids {
		result := tx.Model(&job{}).Where("id IN ? AND attempts = ? AND state IN ?", ids, attempts, []string{ready, running}).Updates(completed())
		if result.Error == nil && result.RowsAffected < int64(len(ids)) { // some were lost: which?
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

// completed are the changes that end a job that is done.
func completed() map[string]any {
	return map[string]any{"state": done, "due_at": nil, "finished_at": now(), "last_error": ""}
}
