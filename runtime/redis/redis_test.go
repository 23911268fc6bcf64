package redis_test

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/redis"
	"github.com/nexios-go/nexios/runtime/web"
)

// replica is one process of an application, with its log.
type replica struct {
	app *web.App
	log logs
}

type logs struct {
	sync.Mutex
	bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.Write(p)
}

func (l *logs) count(text string) int {
	l.Lock()
	defer l.Unlock()
	return strings.Count(l.String(), text)
}

func newReplica(t *testing.T, address string, limit web.Rate) *replica {
	t.Helper()
	r := &replica{}
	answer := web.Get("/api/one", func(*gin.Context, web.None) (string, error) { return "one", nil })
	var err error
	r.app, err = web.New(web.Config{Env: web.Test, RateLimit: limit}, slog.New(slog.NewJSONHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
		redis.Module(redis.Config{URL: address}), web.Module{Name: "one", Routes: []web.Route{answer}})
	require.NoError(t, err)
	return r
}

// get sends a request as client, and returns the status, the requests left and the
// seconds until the window ends.
func (r *replica) get(client string) (status, left, reset int) {
	request := httptest.NewRequest("GET", "/api/one", nil)
	request.RemoteAddr = client
	answer := httptest.NewRecorder()
	r.app.ServeHTTP(answer, request)
	left, _ = strconv.Atoi(answer.Header().Get("RateLimit-Remaining"))
	reset, _ = strconv.Atoi(answer.Header().Get("RateLimit-Reset"))
	return answer.Code, left, reset
}

// someone returns a client that no other test uses.
func someone() string {
	var a [16]byte
	_, _ = rand.Read(a[:])
	a[0] = 0x20
	return netip.AddrPortFrom(netip.AddrFrom16(a), 1).String()
}

// together calls ask with two replicas, repeatedly until neither had to count on its
// own, as happens when Redis is slow on a busy machine.
func together(t *testing.T, limit web.Rate, ask func(both []*replica)) {
	t.Helper()
	address := services.Redis(t)
	for range 20 {
		both := []*replica{newReplica(t, address, limit), newReplica(t, address, limit)}
		ask(both)
		if both[0].log.count("not shared")+both[1].log.count("not shared") == 0 {
			return
		}
	}
	t.Fatal("Redis never responded in time")
}

func TestReplicasShareLimit(t *testing.T) {
	t.Parallel()
	limit := web.Rate{Limit: 10, Window: time.Minute}
	type answer struct{ status, left int }
	var got, want []answer
	for i := range 12 {
		want = append(want, answer{200, max(9-i, 0)})
		if i >= 10 {
			want[i].status = 429
		}
	}
	want = append(want, answer{200, 9}) // another client
	together(t, limit, func(both []*replica) {
		got = nil
		anna, bert := someone(), someone()
		for i := range 12 {
			status, left, reset := both[i%2].get(anna)
			got = append(got, answer{status, left})
			require.True(t, reset > 50 && reset <= 60, "request %d resets in %d", i, reset)
		}
		status, left, _ := both[0].get(bert)
		got = append(got, answer{status, left})
	})
	require.Equal(t, want, got)

	// Of concurrent requests exactly the limit passes.
	var statuses map[int]int
	together(t, limit, func(both []*replica) {
		statuses = map[int]int{}
		eva := someone()
		var mu sync.Mutex
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for range 5 {
					status, _, _ := both[i%2].get(eva)
					mu.Lock()
					statuses[status]++
					mu.Unlock()
				}
			})
		}
		group.Wait()
	})
	require.Equal(t, map[int]int{200: 10, 429: 30}, statuses)
}

func TestWindowEnds(t *testing.T) {
	t.Parallel()
	r := newReplica(t, services.Redis(t), web.Rate{Limit: 1, Window: time.Second})
	anna := someone()
	begin := time.Now()
	status, _, _ := r.get(anna)
	require.Equal(t, 200, status)
	require.Eventually(t, func() bool { status, _, _ = r.get(anna); return status == 200 }, 5*time.Second, 20*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begin), 900*time.Millisecond)
}

// TestRedisUnavailable checks that a replica counts on its own while Redis refuses
// connections or does not respond, and shares the count again afterwards.
func TestRedisUnavailable(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]services.Mode{"refuses": services.Refuse, "is silent": services.Silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			middle := services.Between(t, services.Redis(t))
			limit := web.Rate{Limit: 1000, Window: time.Minute}
			r, other := newReplica(t, middle.URL, limit), newReplica(t, services.Redis(t), limit)
			anna := someone()
			_, left, _ := other.get(anna)
			require.Equal(t, 999, left)
			_, left, _ = r.get(anna)
			require.Equal(t, 998, left)

			middle.Set(how)
			begin := time.Now()
			for i := range 100 {
				status, left, _ := r.get(anna)
				require.Equal(t, []int{200, 999 - i}, []int{status, left}, "alone, request %d", i)
			}
			require.Less(t, time.Since(begin), 2*time.Second, "100 requests")
			for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) { // for the time of two probes
				begin := time.Now()
				r.get(someone())
				require.Less(t, time.Since(begin), 150*time.Millisecond, "a request waited for a probe")
			}
			require.Equal(t, 1, r.log.count("not shared"))
			require.Zero(t, r.log.count("shared again"))

			middle.Set(services.Pass)
			require.Eventually(t, func() bool { r.get(someone()); return r.log.count("shared again") == 1 }, 10*time.Second, 20*time.Millisecond)
			_, left, _ = r.get(anna)
			require.Equal(t, 997, left, "shared again")
			require.Equal(t, 1, r.log.count("not shared"))
		})
	}
}

// TestRedisUnavailableAtStart checks that the program starts and serves without
// Redis.
func TestRedisUnavailableAtStart(t *testing.T) {
	t.Parallel()
	r := newReplica(t, "redis://127.0.0.1:1/0", web.Rate{Limit: 2, Window: time.Minute})
	anna := someone()
	for i, want := range []int{200, 200, 429, 429} {
		status, _, _ := r.get(anna)
		require.Equal(t, want, status, "request %d", i)
	}
	require.Equal(t, 1, r.log.count("not shared"))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	require.NoError(t, redis.Module(redis.Config{}).Err)
	require.Nil(t, redis.Module(redis.Config{}).Count)
	for _, bad := range []string{"http://me:hunter2@host", "redis://me:hunter2@host/x", "nonsense"} {
		err := redis.Config{URL: bad}.Validate()
		require.ErrorContains(t, err, "REDIS_URL")
		require.ErrorContains(t, err, "try:")
		require.NotContains(t, err.Error(), "hunter2")
		require.Error(t, redis.Module(redis.Config{URL: bad}).Err)
	}
}
