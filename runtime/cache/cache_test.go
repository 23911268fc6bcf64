package cache_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/cache"
	"github.com/nexios-go/nexios/runtime/redis"
)

// both runs a test with each kind of store.
func both(t *testing.T, test func(t *testing.T, s *cache.Store)) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{
		"memory": func(testing.TB) string { return "" },
		"redis":  services.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, cache.New(redis.Config{URL: url(t)}, slog.New(slog.DiscardHandler)))
		})
	}
}

type value struct {
	Names []string `json:"names"`
}

func TestGet(t *testing.T) {
	both(t, func(t *testing.T, s *cache.Store) {
		ctx, key, loads := t.Context(), rand.Text(), 0
		get := func(keep time.Duration) value {
			v, err := cache.Get(ctx, s, key, keep, func(context.Context) (value, error) {
				loads++
				return value{[]string{"ada"}}, nil
			})
			require.NoError(t, err)
			return v
		}
		require.Equal(t, []string{"ada"}, get(0).Names)
		require.Equal(t, []string{"ada"}, get(time.Hour).Names)
		require.Equal(t, 2, loads, "0 does not cache")
		get(time.Hour).Names[0] = "eve"
		require.Equal(t, []string{"ada"}, get(time.Hour).Names, "callers share no memory")
		require.Equal(t, 2, loads)

		require.NoError(t, s.Delete(ctx, key, "another"))
		get(30 * time.Millisecond)
		require.Equal(t, 3, loads, "deleted")
		require.Eventually(t, func() bool { get(30 * time.Millisecond); return loads > 3 }, 10*time.Second, 10*time.Millisecond, "the value never expires")

		get(time.Hour)
		other, err := cache.Get(ctx, s, key, time.Hour, func(context.Context) ([]int, error) { return []int{7}, nil })
		require.NoError(t, err)
		require.Equal(t, []int{7}, other, "a cached value of another type")
	})
}

func TestErrorsAreNotCached(t *testing.T) {
	both(t, func(t *testing.T, s *cache.Store) {
		key, broken := rand.Text(), errors.New("broken")
		_, err := cache.Get(t.Context(), s, key, time.Hour, func(context.Context) (int, error) { return 1, broken })
		require.ErrorIs(t, err, broken)
		n, err := cache.Get(t.Context(), s, key, time.Hour, func(context.Context) (int, error) { return 2, nil })
		require.NoError(t, err)
		require.Equal(t, 2, n)
	})
}

// TestConcurrentCallsShareOneLoad checks that other callers wait for the load, which
// continues when the request of the first caller is cancelled.
func TestConcurrentCallsShareOneLoad(t *testing.T) {
	both(t, func(t *testing.T, s *cache.Store) {
		type caller struct{}
		key := rand.Text()
		var loads atomic.Int32
		begun, goOn := make(chan struct{}), make(chan struct{})
		first, gone := context.WithTimeout(context.WithValue(t.Context(), caller{}, "ada"), time.Hour)
		load := func(ctx context.Context) (int, error) {
			if loads.Add(1) == 1 {
				close(begun)
			}
			<-goOn
			_, limited := ctx.Deadline()
			require.True(t, limited)
			require.Nil(t, ctx.Value(caller{}), "load has the context of the first caller")
			return 1, ctx.Err()
		}
		var all sync.WaitGroup
		ask := func(ctx context.Context) {
			n, err := cache.Get(ctx, s, key, time.Hour, load)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		all.Go(func() { ask(first) })
		<-begun
		for range 20 {
			all.Go(func() { ask(first) })
		}
		gone()
		close(goOn)
		all.Wait()
		require.EqualValues(t, 1, loads.Load())
	})
}

// TestDeleteDuringLoad checks that a value read before a deletion is not cached.
func TestDeleteDuringLoad(t *testing.T) {
	both(t, func(t *testing.T, s *cache.Store) {
		key, n := rand.Text(), 0
		load := func(ctx context.Context) (int, error) {
			if n++; n == 1 {
				require.NoError(t, s.Delete(ctx, key))
			}
			return n, nil
		}
		for _, want := range []int{1, 2, 2} {
			got, err := cache.Get(t.Context(), s, key, time.Hour, load)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}

// TestRedisUnavailable checks that every request loads without delay, and that one
// warning is logged.
func TestRedisUnavailable(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]services.Mode{"refuses": services.Refuse, "is silent": services.Silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			middle := services.Between(t, services.Redis(t))
			var log bytes.Buffer
			s := cache.New(redis.Config{URL: middle.URL}, slog.New(slog.NewTextHandler(&log, nil)))
			key, loads := rand.Text(), 0
			get := func() int {
				_, err := cache.Get(t.Context(), s, key, time.Hour, func(context.Context) (int, error) { loads++; return 1, nil })
				require.NoError(t, err)
				return loads
			}
			require.Equal(t, 1, get())
			require.Equal(t, 1, get())
			middle.Set(how)
			begin := time.Now()
			for i := range 100 {
				require.Equal(t, 2+i, get())
			}
			require.Less(t, time.Since(begin), 5*time.Second, "requests wait for Redis")
			require.Equal(t, 1, strings.Count(log.String(), "does not answer"))
			middle.Set(services.Pass)
			require.Eventually(t, func() bool { before := loads; return get() == before }, 10*time.Second, 10*time.Millisecond)
			require.Equal(t, 1, strings.Count(log.String(), "answers again"))
		})
	}
}

func TestBadAddress(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, cache.New(redis.Config{URL: "nonsense"}, slog.Default()).Module().Err, "REDIS_URL")
}
