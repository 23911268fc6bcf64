package auth

import (
	"sync"
	"time"
)

// cacheSize bounds a cache; at some 200 bytes an entry it is about 10 MB.
const cacheSize = 50_000

// cache remembers for Staleness what the database said about a session or a
// key. What is forgotten is gone at once, also for a load that was under way.
type cache[V any] struct {
	mu      sync.RWMutex
	entries map[string]cached[V]
	changes uint64 // counts forgets; a load that saw another count is not kept
}

type cached[V any] struct {
	value V
	until time.Time
}

func newCache[V any]() *cache[V] { return &cache[V]{entries: map[string]cached[V]{}} }

// get returns what is cached under key, or loads and keeps it. A load that
// fails or finds nothing is not kept.
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
			clear(c.entries) // everything in it is at most Staleness old
		}
		c.entries[key] = cached[V]{value, now.Add(Staleness)}
	}
	return value, true, nil
}

// forget drops the entries that which says are meant.
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
