package jobs

import (
	"context"
	"time"
)

// How long finished jobs stay in the table.
const (
	keepDone = 7 * 24 * time.Hour // done and cancelled; as long as unique keys hold
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

// clean deletes what is older than it needs to be at a time, a batch at a
// time so that no lock is held long.
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
