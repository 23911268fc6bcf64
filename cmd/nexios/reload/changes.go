package reload

import (
	"maps"
	"slices"
	"time"
)

// changes are the changed files that are in no version yet, and the user's requests for
// the next attempt.
type changes struct {
	fresh   map[string]bool // since the last attempt began
	pending map[string]bool // since the last build that did not fail
	since   time.Time       // when the oldest change not yet in a finished attempt was saved
	forced  bool            // build even if nothing has changed
	restart bool            // restart even if the program is unchanged
	quiet   *time.Timer     // fires when nothing has changed for a moment
}

func newChanges() changes {
	c := changes{fresh: map[string]bool{}, pending: map[string]bool{}, quiet: time.NewTimer(time.Hour)}
	c.quiet.Stop()
	return c
}

// wait restarts the quiet period.
func (c *changes) wait() { c.quiet.Reset(debounce) }

// add records a changed file.
func (c *changes) add(path string) {
	c.fresh[path] = true
	c.wait()
}

// take returns the changes for a new attempt: the files changed since the last one, all
// files that no build contains, and when the oldest was saved. hasNew reports whether any
// of them is newly changed.
func (c *changes) take(now time.Time) (fresh, all []string, since time.Time, hasNew bool) {
	fresh = slices.Sorted(maps.Keys(c.fresh))
	for _, path := range fresh {
		hasNew = hasNew || !c.pending[path]
		c.pending[path] = true
	}
	if c.since.IsZero() {
		c.since = now.Add(-savedAgo(fresh, now))
	}
	clear(c.fresh)
	return fresh, slices.Sorted(maps.Keys(c.pending)), c.since, hasNew
}

// takeFlags returns and resets the flags of the next attempt.
func (c *changes) takeFlags() (forced, restart bool) {
	forced, restart = c.forced, c.restart
	c.forced, c.restart = false, false
	return forced, restart
}

// built records that a successful build contains paths.
func (c *changes) built(paths []string) {
	for _, path := range paths {
		delete(c.pending, path)
	}
}
