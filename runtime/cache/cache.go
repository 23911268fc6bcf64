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
	memory = 64 << 20               // bytes that are kept without Redis
	limit  = 100 * time.Millisecond // what a request waits for Redis at most
	pause  = time.Second            // between tries while Redis is away
	prefix = "cache:"               // of keys in Redis
)

// Store keeps values by their keys. Make one with New.
type Store struct {
	log     *slog.Logger
	err     error
	redis   *goredis.Client             // nil: values are kept in memory
	memory  *otter.Cache[string, entry] // nil: values are kept in Redis
	loads   singleflight.Group          // of values that are being made
	deletes atomic.Int64                // how many there were
	again   atomic.Int64                // when Redis is tried next, in Unix nanoseconds; 0 while it answers
}

// entry is a value as JSON, which no two callers share a part of.
type entry struct {
	data []byte
	keep time.Duration
}

// New returns a store in the Redis of c, or in memory where it names none. What is
// wrong with c is in Module().Err.
func New(c redis.Config, log *slog.Logger) *Store {
	s := &Store{log: log}
	if s.redis, s.err = c.Client(); s.redis == nil {
		s.memory = otter.Must(&otter.Options[string, entry]{
			MaximumWeight:    memory,
			Weigher:          func(key string, e entry) uint32 { return uint32(len(key) + len(e.data)) }, // #nosec G115 -- write keeps less than memory
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, entry]) time.Duration { return e.Value.keep }),
		})
	}
	return s
}

// Module closes the store when the application ends.
func (s *Store) Module() web.Module {
	return web.Module{Name: "cache", Err: s.err, Stop: func(context.Context) {
		if s.redis != nil {
			_ = s.redis.Close()
		}
	}}
}

// Get returns the value of key, or what load returns, which is then kept for as long as
// keep says; 0 or less keeps nothing. Of all who ask for a key at the same time one
// loads. The context of load ends when the request of that one has to, is not cancelled
// with it, and has no caller; see the package. Errors of load are returned and not kept.
//
// T is kept as JSON. A value that is not one of T, such as that of an older version, is
// loaded again; one with another meaning needs another key. While Redis is away, which
// a warning says once, each request loads.
func Get[T any](ctx context.Context, s *Store, key string, keep time.Duration, load func(context.Context) (T, error)) (T, error) {
	var value T
	if data := s.read(ctx, key); data != nil && json.Unmarshal(data, &value) == nil {
		return value, nil
	}
	made, err, _ := s.loads.Do(key, func() (any, error) {
		deletes := s.deletes.Load()
		free, cancel := context.WithCancel(context.Background())
		if end, ok := ctx.Deadline(); ok {
			free, cancel = context.WithDeadline(context.Background(), end)
		}
		defer cancel()
		// Who asked before it was written may come here after that.
		if data := s.read(free, key); data != nil && json.Unmarshal(data, new(T)) == nil {
			return data, nil
		}
		value, err := load(free)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(value)
		if err == nil && keep > 0 && deletes == s.deletes.Load() { // else it may be of before what was deleted for
			s.write(free, key, entry{data, keep})
		}
		return data, err
	})
	var fresh T
	if err != nil {
		return fresh, err
	}
	return fresh, json.Unmarshal(made.([]byte), &fresh)
}

// Delete makes the next Get of each key load. Call it after the transaction that
// changed what the value is made of. A replica that is loading at this moment may still
// keep an older value, for as long as its Get says.
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

// read returns what is kept under key, or nil.
func (s *Store) read(ctx context.Context, key string) (data []byte) {
	if s.memory != nil {
		e, _ := s.memory.GetIfPresent(key)
		return e.data
	}
	s.ask(ctx, func(ctx context.Context) (err error) {
		data, err = s.redis.Get(ctx, prefix+key).Bytes()
		return err
	})
	return data
}

func (s *Store) write(ctx context.Context, key string, e entry) {
	if s.memory == nil {
		s.ask(ctx, func(ctx context.Context) error { return s.redis.Set(ctx, prefix+key, e.data, e.keep).Err() })
	} else if len(e.data) < memory {
		s.memory.Set(key, e)
	}
}

// ask asks Redis, unless it was away a moment ago.
func (s *Store) ask(ctx context.Context, do func(context.Context) error) {
	again := s.again.Load()
	if again > time.Now().UnixNano() {
		return
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch err := do(limited); {
	case err == nil, errors.Is(err, goredis.Nil):
		if again != 0 && s.again.CompareAndSwap(again, 0) {
			s.log.Info("redis answers again: the cache is used")
		}
	case ctx.Err() == nil: // it is not the request that has ended
		if s.again.Swap(time.Now().Add(pause).UnixNano()) == 0 {
			s.log.Warn("redis does not answer: nothing is cached", "error", err)
		}
	}
}
