package jobs

import (
	"log/slog"
	"time"
)

// maxPause is the longest pause between two tries while the database fails.
const maxPause = 30 * time.Second

// outage counts the failures of one loop while the database does not answer.
type outage struct {
	log      *slog.Logger
	failures int // in a row
}

// note takes how a try ended, and logs it when the one before ended otherwise.
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

// pause is how long to wait after a failure: as long as usual after the first,
// twice as long after each further one.
func (t *outage) pause(usual time.Duration) time.Duration {
	doubled := min(max(t.failures-1, 0), 10)
	return max(usual, min(usual<<doubled, maxPause))
}
