package jobs

import (
	"log/slog"
	"time"
)

// maxPause is the maximum pause between retries while the database fails.
const maxPause = 30 * time.Second

// outage tracks the consecutive failures of a loop while the database is unavailable.
type outage struct {
	log      *slog.Logger
	failures int // consecutive
}

// note records the result of an attempt, and logs the first failure and the recovery.
func (t *outage) note(err error) {
	switch {
	case err == nil && t.failures > 0:
		t.log.Info("the database is back; jobs continue")
	case err != nil && t.failures == 0:
		t.log.Error("jobs are waiting for the database", "error", err)
	}
	if t.failures++; err == nil {
		t.failures = 0
	}
}

// pause returns how long to wait after a failure: usual after the first, doubling with
// each further one.
func (t *outage) pause(initial time.Duration) time.Duration {
	doubled := min(max(t.failures-1, 0), 10)
	return max(initial, min(initial<<doubled, maxPause))
}
