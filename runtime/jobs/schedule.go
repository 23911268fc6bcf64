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

// schedule enqueues one job a tick.
type schedule struct {
	words   string
	kind    string
	payload any
	digest  uint32 // of the payload, so that two payloads may share words and kind
	times   cron.Schedule
}

// Schedule enqueues a job of kind again and again: words are the five of cron
// ("30 3 * * *": minute, hour, day of month, month, day of week, in UTC), or
// "@hourly", "@daily", "@weekly", "@monthly", or "@every 10m". Each tick makes
// one job however many replicas run. The next one is always written ahead, so
// a tick that falls into a restart runs after it; older ones are not made up
// for. Words that cannot be read make Run return an error, and so does a time
// zone: its clock has days on which half past two comes twice, or never.
func Schedule(q *Queue, words, kind string, payload any) {
	if strings.Contains(words, "TZ=") {
		q.fail(fmt.Errorf("schedule %q of %s names a time zone; schedules are in UTC, try \"30 3 * * *\"", words, kind))
		return
	}
	times, err := cron.ParseStandard(words)
	if err != nil {
		q.fail(fmt.Errorf("schedule %q of %s: %w; try \"@hourly\" or \"30 3 * * *\"", words, kind, err))
		return
	}
	text, err := json.Marshal(payload)
	if err != nil {
		q.fail(fmt.Errorf("payload of %s: %w", kind, err))
		return
	}
	digest := fnv.New32a()
	_, _ = digest.Write(text) // a hash takes everything
	q.schedules = append(q.schedules, schedule{words, kind, payload, digest.Sum32(), times})
}

// next returns the first tick after t, the same in every replica.
func (s schedule) next(t time.Time) time.Time {
	t = t.UTC()
	if every, ok := s.times.(cron.ConstantDelaySchedule); ok {
		return t.Truncate(every.Delay).Add(every.Delay)
	}
	return s.times.Next(t)
}

// keepSchedule keeps the next tick enqueued until ctx ends.
func (q *Queue) keepSchedule(ctx context.Context, s schedule) {
	enqueuing := outage{log: q.log.With("doing", "enqueuing scheduled jobs", "kind", s.kind)}
	for {
		tick := s.next(time.Now())
		if tick.IsZero() { // a day that never comes, such as February 30
			q.log.Warn("the job schedule has no next run", "kind", s.kind, "schedule", s.words)
			return
		}
		pause := time.Until(tick)
		key := fmt.Sprintf("%s@%d#%d", s.words, tick.Unix(), s.digest)
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
