package reload

import (
	"maps"
	"slices"
	"time"
)

// changes are what the loop knows of files that no version has in it yet, and
// what else a person asked of the next attempt.
type changes struct {
	fresh   map[string]bool // since the last attempt began
	pending map[string]bool // since the last build that did not fail
	since   time.Time       // when the oldest was saved that no finished attempt has seen
	forced  bool            // build even if nothing seems changed
	restart bool            // start again even if the program is the same
	quiet   *time.Timer     // runs out when nothing has changed for a moment
}

func newChanges() changes {
	c := changes{fresh: map[string]bool{}, pending: map[string]bool{}, quiet: time.NewTimer(time.Hour)}
	c.quiet.Stop()
	return c
}

// wait has the loop act when nothing changes any more.
func (c *changes) wait() { c.quiet.Reset(debounce) }

// saw notes that a file changed.
func (c *changes) saw(path string) {
	c.fresh[path] = true
	c.wait()
}

// take hands what changed to an attempt: the files since the last one, all that
// no build has in it, and when the oldest was saved. news reports whether one of
// the files had not changed before.
func (c *changes) take(now time.Time) (fresh, all []string, since time.Time, news bool) {
	fresh = slices.Sorted(maps.Keys(c.fresh))
	for _, path := range fresh {
		news = news || !c.pending[path]
		c.pending[path] = true
	}
	if c.since.IsZero() {
		c.since = now.Add(-savedAgo(fresh, now))
	}
	clear(c.fresh)
	return fresh, slices.Sorted(maps.Keys(c.pending)), c.since, news
}

// orders hands over what else was asked for.
func (c *changes) orders() (forced, restart bool) {
	forced, restart = c.forced, c.restart
	c.forced, c.restart = false, false
	return forced, restart
}

// built notes that a build which did not fail has paths in it.
func (c *changes) built(paths []string) {
	for _, path := range paths {
		delete(c.pending, path)
	}
}
