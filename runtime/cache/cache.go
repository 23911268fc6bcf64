package cache

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"github.com/nexios-go/nexios/runtime/redis"
	"github.com/nexios-go/nexios/runtime/web"
)

const (
	maxMemory     = 64 << 20               // bytes, without Redis
	redisTimeout  = 100 * time.Millisecond // of one Redis call
	retryInterval = time.Second            // between attempts while Redis is unavailable
	prefix        = "cache:"               // of keys in Redis
)

// Store caches values by key. Create one with New.
type Store struct {
	log     *slog.Logger
	err     error
	redis   *goredis.Client             // nil if values are kept in memory
	memory  *otter.Cache[string, entry] // nil if values are kept in Redis
	loads   singleflight.Group          // loads in progress
	deletes atomic.Int64                // number of Delete calls
	retryAt atomic.Int64                // time of the next attempt to use Redis, in Unix nanoseconds; 0 while it works
}

// entry is a value as JSON, so that callers share no memory.
type entry struct {
	data []byte
	ttl  time.Duration
}

// New returns a store in the Redis of c, or in memory if c has no URL. Errors in c
// are reported by Module().Err.
func New(c redis.Config, log *slog.Logger) *Store {
	s := &Store{log: log}
	if s.redis, s.err = c.Client(); s.redis == nil {
		s.memory = otter.Must(&otter.Options[string, entry]{
			MaximumWeight:    maxMemory,
			Weigher:          func(key string, e entry) uint32 { return uint32(len(key) + len(e.data)) }, // #nosec G115 -- write rejects longer values
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, entry]) time.Duration { return e.Value.ttl }),
		})
	}
	return s
}

// Module closes the store when the application stops.
func (s *Store) Module() web.Module {
	return web.Module{Name: "cache", Err: s.err, Stop: func(context.Context) {
		if s.redis != nil {
			_ = s.redis.Close()
		}
	}}
}

// Get returns the cached value of key. If there is none, it calls load and caches the
// result for ttl; 0 or less does not cache it. Concurrent calls for the same key
// share one load. The context of load has the deadline of the request that calls it,
// but is not cancelled with that request and carries no caller; see the package
// documentation. Errors of load are returned and not cached.
//
// T is stored as JSON. A value that does not decode as T, such as one written by an
// older version, is loaded again; if the meaning of T changes, change the key. While
// Redis is unavailable, every request loads; a warning is logged once.
func Get[T any](ctx context.Context, s *Store, key string, ttl time.Duration, load func(context.Context) (T, error)) (T, error) {
	var value T
	if data := s.read(ctx, key); data != nil && json.Unmarshal(data, &value) == nil {
		return value, nil
	}
	loaded, err, _ := s.loads.Do(key, func() (any, error) {
		deletes := s.deletes.Load()
		loadCtx, cancel := context.WithCancel(context.Background())
		if end, ok := ctx.Deadline(); ok {
			loadCtx, cancel = context.WithDeadline(context.Background(), end)
		}
		defer cancel()
		// Another load may have stored the value since the first read.
		if data := s.read(loadCtx, key); data != nil && json.Unmarshal(data, new(T)) == nil {
			return data, nil
		}
		value, err := load(loadCtx)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(value)
		if err == nil && ttl > 0 && deletes == s.deletes.Load() { // otherwise it may predate a Delete
			s.write(loadCtx, key, entry{data, ttl})
		}
		return data, err
	})
	var fresh T
	if err != nil {
		return fresh, err
	}
	return fresh, json.Unmarshal(loaded.([]byte), &fresh)
}

// Delete makes the next Get of each key load its value again. Call it after the
// transaction that changed the underlying data. A replica that is loading at that
// moment may still cache an older value, for the ttl of its Get.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	s.deletes.Add(1)
	names := make([]string, len(keys))
	for i, key := range keys {
		s.loads.Forget(key)
		names[i] = prefix + key
		if s.memory != nil {
			s.memory.Invalidate(key)
		}
	}
	if s.redis == nil || len(names) == 0 {
		return nil
	}
	return s.redis.Del(ctx, names...).Err()
}

// read returns the data cached under key, or nil.
func (s *Store) read(ctx context.Context, key string) (data []byte) {
	if s.memory != nil {
		e, _ := s.memory.GetIfPresent(key)
		return e.data
	}
	s.withRedis(ctx, func(ctx context.Context) (err error) {
		data, err = s.redis.Get(ctx, prefix+key).Bytes()
		return err
	})
	return data
}

func (s *Store) write(ctx context.Context, key string, e entry) {
	if s.memory == nil {
		s.withRedis(ctx, func(ctx context.Context) error { return s.redis.Set(ctx, prefix+key, e.data, e.ttl).Err() })
	} else if len(e.data) < maxMemory {
		s.memory.Set(key, e)
	}
}

// withRedis calls do, unless Redis failed recently.
func (s *Store) withRedis(ctx context.Context, do func(context.Context) error) {
	retryAt := s.retryAt.Load()
	if retryAt > time.Now().UnixNano() {
		return
	}
	limited, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	switch err := do(limited); {
	case err == nil, errors.Is(err, goredis.Nil):
		if retryAt != 0 && s.retryAt.CompareAndSwap(retryAt, 0) {
			s.log.Info("redis answers again: the cache is used")
		}
	case ctx.Err() == nil: // Redis failed, not the request
		if s.retryAt.Swap(time.Now().Add(retryInterval).UnixNano()) == 0 {
			s.log.Warn("redis does not answer: nothing is cached", "error", err)
		}
	}
}
