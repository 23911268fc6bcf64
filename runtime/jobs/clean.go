package jobs

import (
	"context"
	"time"
)

// Retention of finished jobs.
const (
	keepDone = 7 * 24 * time.Hour // done and cancelled; unique keys are valid as long
	keepDead = 30 * 24 * time.Hour
	batch    = 500
)

// keepClean deletes old finished jobs, at start and then every hour.
func (q *Queue) keepClean(ctx context.Context) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		if err := q.clean(ctx, time.Now()); err != nil && ctx.Err() == nil {
			q.log.Warn("jobs: deleting finished jobs", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-hourly.C:
		}
	}
}

// clean deletes the jobs whose retention has ended at the given time, in batches so
// that no lock is held for long.
func (q *Queue) clean(ctx context.Context, at time.Time) error {
	for _, old := range []struct {
		states []string
		before time.Time
	}{
		{[]string{done, cancelled}, at.Add(-keepDone)},
		{[]string{dead}, at.Add(-keepDead)},
	} {
		for {
			var ids []int64
			tx := q.db.WithContext(ctx)
			err := tx.Model(&job{}).Where("finished_at < ? AND state IN ?", old.before.UnixMilli(), old.states).
				Limit(batch).Pluck("id", &ids).Error
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				break
			}
			if err := tx.Where("id IN ?", ids).Delete(&job{}).Error; err != nil {
				return err
			}
		}
	}
	return nil
}
