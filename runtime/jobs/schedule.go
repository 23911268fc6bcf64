package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// schedule enqueues one job per tick.
type schedule struct {
	spec    string
	kind    string
	payload any
	digest  uint32 // of the payload, so that schedules may differ only in it
	times   cron.Schedule
}

// Schedule enqueues a job of kind periodically. words is a cron expression with five
// fields ("30 3 * * *": minute, hour, day of month, month, day of week, in UTC), or
// "@hourly", "@daily", "@weekly", "@monthly", or "@every 10m". Each tick creates one
// job, however many replicas run. The next job is always enqueued in advance, so a tick
// during a restart runs after it; earlier missed ticks are skipped. An invalid
// expression makes Run return an error, and so does a time zone, in which 02:30 may
// occur twice on some days and never on others.
func Schedule(q *Queue, spec, kind string, payload any) {
	if strings.Contains(spec, "TZ=") {
		q.fail(fmt.Errorf("schedule %q of %s names a time zone; schedules are in UTC, try \"30 3 * * *\"", spec, kind))
		return
	}
	times, err := cron.ParseStandard(spec)
	if err != nil {
		q.fail(fmt.Errorf("schedule %q of %s: %w; try \"@hourly\" or \"30 3 * * *\"", spec, kind, err))
		return
	}
	text, err := json.Marshal(payload)
	if err != nil {
		q.fail(fmt.Errorf("payload of %s: %w", kind, err))
		return
	}
	digest := fnv.New32a()
	_, _ = digest.Write(text) // Write never fails
	q.schedules = append(q.schedules, schedule{spec, kind, payload, digest.Sum32(), times})
}

// next returns the first tick after t, the same on every replica.
func (s schedule) next(t time.Time) time.Time {
	t = t.UTC()
	if every, ok := s.times.(cron.ConstantDelaySchedule); ok {
		return t.Truncate(every.Delay).Add(every.Delay)
	}
	return s.times.Next(t)
}

// keepSchedule keeps the next tick enqueued until ctx is cancelled.
func (q *Queue) keepSchedule(ctx context.Context, s schedule) {
	enqueuing := outage{log: q.log.With("doing", "enqueuing scheduled jobs", "kind", s.kind)}
	for {
		tick := s.next(time.Now())
		if tick.IsZero() { // a date that never occurs, such as February 30
			q.log.Warn("the job schedule has no next run", "kind", s.kind, "schedule", s.spec)
			return
		}
		pause := time.Until(tick)
		key := fmt.Sprintf("%s@%d#%d", s.spec, tick.Unix(), s.digest)
		err := Enqueue(q.db.WithContext(ctx), s.kind, s.payload, At(tick), Unique(key))
		if ctx.Err() == nil {
			enqueuing.note(err)
		}
		if err != nil {
			pause = min(pause, enqueuing.pause(q.Poll))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
