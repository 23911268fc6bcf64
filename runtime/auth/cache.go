package auth

import (
	"sync"
	"time"
)

// cacheSize bounds a cache, at about 200 bytes an entry to about 10 MB.
const cacheSize = 50_000

// cache keeps what was read from the database about a session or a key for Staleness.
// Forgetting an entry takes effect immediately, also for a load in progress.
type cache[V any] struct {
	mu      sync.RWMutex
	entries map[string]cached[V]
	changes uint64 // number of forgets; a load is not cached if it has changed meanwhile
}

type cached[V any] struct {
	value V
	until time.Time
}

func newCache[V any]() *cache[V] { return &cache[V]{entries: map[string]cached[V]{}} }

// get returns the value cached under key, or loads and caches it. A load that fails or
// finds nothing is not cached.
func (c *cache[V]) get(key string, now time.Time, load func() (V, bool, error)) (V, bool, error) {
	c.mu.RLock()
	entry, ok := c.entries[key]
	changes := c.changes
	c.mu.RUnlock()
	if ok && now.Before(entry.until) {
		return entry.value, true, nil
	}
	value, found, err := load()
	if err != nil || !found {
		return value, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		if len(c.entries) >= cacheSize {
			clear(c.entries) // every entry is at most Staleness old
		}
		c.entries[key] = cached[V]{value, now.Add(Staleness)}
	}
	return value, true, nil
}

// forget drops the entries for which which returns true.
func (c *cache[V]) forget(which func(key string, value V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for key, entry := range c.entries {
		if which(key, entry.value) {
			delete(c.entries, key)
		}
	}
}

// forgetKey drops one entry.
func (c *cache[V]) forgetKey(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.entries, key)
}
