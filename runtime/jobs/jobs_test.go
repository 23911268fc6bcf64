package jobs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
)

type payload struct{ N int }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// open returns a migrated database at url, or a private SQLite file for "".
func open(t testing.TB, url string) *gorm.DB {
	t.Helper()
	if url == "" {
		url = "sqlite:" + filepath.Join(t.TempDir(), "jobs.db")
	}
	gdb, err := db.Open(url, db.Options{Log: quiet})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close(gdb) })
	_, err = db.Migrate(context.Background(), gdb, Migrations())
	require.NoError(t, err)
	return gdb
}

// fast returns a queue that fails and recovers quickly.
func fast(gdb *gorm.DB) *Queue {
	q := New(gdb, quiet)
	q.Backoff = time.Millisecond
	return q
}

// start runs the queue until the test ends or stop is called.
func start(t testing.TB, q *Queue) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error, 1)
	go func() { finished <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-finished:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(15 * time.Second):
			t.Error("the queue did not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

func all(t testing.TB, gdb *gorm.DB) []job {
	t.Helper()
	var jobs []job
	require.NoError(t, gdb.Order("id").Find(&jobs).Error)
	return jobs
}

// eventually waits for the condition, long enough for a slow machine.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 15*time.Second, 5*time.Millisecond, what)
}

func inState(t testing.TB, gdb *gorm.DB, state string) {
	t.Helper()
	eventually(t, "state "+state, func() bool { return all(t, gdb)[0].State == state })
}

func TestJobCommitsWithTransaction(t *testing.T) {
	gdb := open(t, "")
	require.NoError(t, gdb.Transaction(func(tx *gorm.DB) error {
		return Enqueue(tx.Where("id = 7"), "count", payload{1})
	}))
	require.Error(t, gdb.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, Enqueue(tx, "count", payload{2}))
		return errors.New("rolled back")
	}))
	jobs := all(t, gdb)
	require.Len(t, jobs, 1)
	require.Equal(t, `{"N":1}`, jobs[0].Payload)
	require.Equal(t, ready, jobs[0].State)
}

func TestEnqueueRejectsInvalidJobs(t *testing.T) {
	gdb := open(t, "")
	for name, err := range map[string]error{
		"no kind":       Enqueue(gdb, "", 1),
		"long kind":     Enqueue(gdb, strings.Repeat("k", maxKind+1), 1),
		"large payload": Enqueue(gdb, "k", strings.Repeat("p", maxPayload)),
		"not JSON":      Enqueue(gdb, "k", func() {}),
	} {
		require.Error(t, err, name)
	}
	require.Empty(t, all(t, gdb))
}

func TestUnique(t *testing.T) {
	gdb := open(t, "")
	for _, enqueue := range []struct{ kind, key string }{
		{"a", "key"}, {"a", "key"}, {"a", "KEY"}, {"a", "key "}, {"b", "key"},
	} {
		require.NoError(t, Enqueue(gdb, enqueue.kind, nil, Unique(enqueue.key)))
	}
	require.NoError(t, Enqueue(gdb, "a", nil))
	require.NoError(t, Enqueue(gdb, "a", nil))
	require.Len(t, all(t, gdb), 6, "only the second a/key is the same job")
}

func TestJobRunsOnceWithPayload(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	got := make(chan payload, 10)
	Handle(q, "count", func(_ context.Context, p payload) error { got <- p; return nil })
	require.NoError(t, Enqueue(gdb, "count", payload{42}))
	require.NoError(t, Enqueue(gdb, "unknown here", payload{43}))
	start(t, q)
	require.Equal(t, payload{42}, <-got)
	inState(t, gdb, done)
	jobs := all(t, gdb)
	require.Nil(t, jobs[0].DueAt)
	require.NotNil(t, jobs[0].FinishedAt)
	require.Equal(t, ready, jobs[1].State, "a kind without a handler waits for a process that has one")
}

// Committing a job wakes the workers: this queue would otherwise poll in an hour.
func TestEnqueueWakesWorkers(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	q.Poll = time.Hour
	got := make(chan payload, 1)
	Handle(q, "count", func(_ context.Context, p payload) error { got <- p; return nil })
	start(t, q)
	for n := range 3 {
		require.NoError(t, gdb.Transaction(func(tx *gorm.DB) error {
			defer time.Sleep(30 * time.Millisecond) // commit after the wake-up
			return Enqueue(tx, "count", payload{n})
		}))
		select {
		case p := <-got:
			require.Equal(t, n, p.N)
		case <-time.After(10 * time.Second):
			t.Fatal("the workers were not woken")
		}
	}
}

func TestAtDelaysJob(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	ran := make(chan time.Time, 1)
	Handle(q, "later", func(context.Context, payload) error { ran <- time.Now(); return nil })
	due := time.Now().Add(300 * time.Millisecond).Truncate(time.Millisecond)
	require.NoError(t, Enqueue(gdb, "later", payload{}, At(due)))
	start(t, q)
	require.False(t, (<-ran).Before(due))
}

func TestFailures(t *testing.T) {
	type outcome struct {
		state    string
		attempts int
		reason   string
	}
	for name, test := range map[string]struct {
		work func(attempt int32) error
		want outcome
	}{
		"succeeds on the third attempt": {func(n int32) error {
			if n < 3 {
				return errors.New("not yet")
			}
			return nil
		}, outcome{done, 3, ""}},
		"always fails":    {func(int32) error { return errors.New("no luck") }, outcome{dead, 4, "no luck"}},
		"always panics":   {func(int32) error { panic("oh") }, outcome{dead, 4, "panic: oh"}},
		"permanent error": {func(int32) error { return Permanent(errors.New("gone")) }, outcome{dead, 1, "gone"}},
		"permanent nil":   {func(int32) error { return Permanent(nil) }, outcome{done, 1, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			gdb := open(t, "")
			q := fast(gdb)
			var attempts atomic.Int32
			Handle(q, "work", func(context.Context, payload) error { return test.work(attempts.Add(1)) })
			require.NoError(t, Enqueue(gdb, "work", payload{}, MaxAttempts(4)))
			start(t, q)
			inState(t, gdb, test.want.state)
			j := all(t, gdb)[0]
			require.Equal(t, test.want, outcome{j.State, j.Attempts, j.LastError})
			require.Nil(t, j.DueAt)
		})
	}
}

func TestInvalidPayloadIsDead(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	Handle(q, "count", func(context.Context, payload) error { return nil })
	require.NoError(t, Enqueue(gdb, "count", "text"))
	start(t, q)
	inState(t, gdb, dead)
}

func TestBackoffDoublesWithinBounds(t *testing.T) {
	for attempts, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 11: time.Hour, 500: time.Hour} {
		for range 50 {
			got := backoff(5*time.Second, attempts)
			require.InDelta(t, want.Seconds(), got.Seconds(), want.Seconds()/4+0.001)
		}
	}
}

func TestHandleTxCommitsEffectWithCompletion(t *testing.T) {
	gdb := open(t, "")
	require.NoError(t, gdb.AutoMigrate(&effect{}))
	q := fast(gdb)
	var tries atomic.Int32
	HandleTx(q, "effect", func(_ context.Context, tx *gorm.DB, p payload) error {
		if err := tx.Create(&effect{N: p.N}).Error; err != nil {
			return err
		}
		if tries.Add(1) < 3 {
			return errors.New("after the effect")
		}
		return nil
	})
	require.NoError(t, Enqueue(gdb, "effect", payload{7}))
	start(t, q)
	inState(t, gdb, done)
	var effects []effect
	require.NoError(t, gdb.Find(&effects).Error)
	require.Len(t, effects, 1)
}

// effect is the effect of a test job; nothing makes it unique.
type effect struct {
	ID int64
	N  int `gorm:"index"`
}

// recording returns a recorder that runs until the test ends.
func recording(t testing.TB, q *Queue) recorder {
	r := recorder{queue: q, done: make(chan completion), freed: make(chan int, 10), running: new(atomic.Int64)}
	go r.run(t.Context().Done())
	return r
}

// When jobs are recorded together, each gets its own result.
func TestBatchWithLostJobs(t *testing.T) {
	for name, url := range databases(t) {
		t.Run(name, func(t *testing.T) {
			gdb := open(t, url)
			q := fast(gdb)
			Handle(q, "count", func(context.Context, payload) error { return nil })
			for n := range 6 {
				require.NoError(t, Enqueue(gdb, "count", payload{n}))
			}
			claimed, err := q.claim(t.Context(), 10)
			require.NoError(t, err)
			require.Len(t, claimed, 6)
			slices.SortFunc(claimed, func(a, b job) int { return int(a.ID - b.ID) })
			// The second was cancelled, the fourth claimed by another worker, the sixth
			// attempted before.
			require.NoError(t, gdb.Model(&job{}).Where("id = ?", claimed[1].ID).Updates(ended(cancelled, "")).Error)
			require.NoError(t, gdb.Model(&job{}).Where("id = ?", claimed[3].ID).Update("attempts", 2).Error)
			require.NoError(t, gdb.Model(&job{}).Where("id = ?", claimed[5].ID).Update("attempts", 7).Error)
			claimed[5].Attempts = 7
			var batch []completion
			for _, j := range claimed {
				batch = append(batch, completion{job: j})
			}
			require.Equal(t, []error{nil, errLost, nil, errLost, nil, nil}, finishAll(gdb, batch))
			var states []string
			for _, j := range all(t, gdb) {
				states = append(states, j.State)
			}
			require.Equal(t, []string{done, cancelled, done, running, done, done}, states)
		})
	}
}

// On PostgreSQL a sleeping process notices a job as soon as its transaction commits,
// whichever process enqueued it.
func TestOtherProcessIsNotified(t *testing.T) {
	url := databases(t)["postgres"]
	gdb := open(t, url)
	other, err := db.Open(url, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close(other) })
	q := fast(gdb)
	q.Poll = time.Hour
	ran := make(chan time.Time, 1)
	Handle(q, "count", func(context.Context, payload) error { ran <- time.Now(); return nil })
	start(t, q)
	eventually(t, "listening", q.listening.Load)
	took := time.Hour
	for n := range 20 {
		begin := time.Now()
		require.NoError(t, Enqueue(other, "count", payload{n}))
		took = min(took, (<-ran).Sub(begin)) // the minimum: the machine is shared
	}
	if took > 20*time.Millisecond {
		t.Errorf("another process ran a job after %s, want at most 20 ms", took)
	}
	// Delayed jobs wait, and other processes learn their due time.
	require.NoError(t, Enqueue(other, "count", payload{1}, At(time.Now().Add(200*time.Millisecond))))
	<-ran
	// Without the listening connection it polls.
	require.NoError(t, other.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()").Error)
	eventually(t, "stopped listening", func() bool { return !q.listening.Load() })
}

// Without the trigger, jobs are found by polling.
func TestPollingWithoutTrigger(t *testing.T) {
	gdb := open(t, databases(t)["postgres"])
	require.NoError(t, gdb.Exec("DROP TRIGGER jobs_notify ON jobs").Error)
	q := fast(gdb)
	q.Poll = 10 * time.Millisecond
	ran := make(chan struct{})
	Handle(q, "count", func(context.Context, payload) error { ran <- struct{}{}; return nil })
	start(t, q)
	for n := range 3 {
		require.NoError(t, gdb.Exec("INSERT INTO jobs (kind, payload, state, attempts, max_attempts, due_at, last_error, created_at) VALUES ('count', '{}', 'ready', 0, 3, ?, '', 0)", now()).Error)
		select {
		case <-ran:
		case <-time.After(15 * time.Second):
			t.Fatalf("job %d was not found", n)
		}
	}
	require.False(t, q.listening.Load())
}

// A worker that lost its lease neither commits its effect nor records a result.
func TestLostLeaseCommitsNothing(t *testing.T) {
	gdb := open(t, "")
	require.NoError(t, gdb.AutoMigrate(&effect{}))
	q := fast(gdb)
	HandleTx(q, "effect", func(_ context.Context, tx *gorm.DB, p payload) error {
		// Another worker claims the job meanwhile.
		require.NoError(t, tx.Model(&job{}).Where("1 = 1").Update("attempts", gorm.Expr("attempts + 1")).Error)
		return tx.Create(&effect{N: p.N}).Error
	})
	require.NoError(t, Enqueue(gdb, "effect", payload{1}))
	claimed, err := q.claim(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	q.run(context.Background(), claimed[0], recording(t, q))
	var effects []effect
	require.NoError(t, gdb.Find(&effects).Error)
	require.Empty(t, effects)
	require.Equal(t, running, all(t, gdb)[0].State)
}

func TestExpiredLeaseIsClaimedByAnotherWorker(t *testing.T) {
	gdb := open(t, "")
	crashed, heir := fast(gdb), fast(gdb)
	for _, q := range []*Queue{crashed, heir} {
		q.Lease = 50 * time.Millisecond
		Handle(q, "count", func(context.Context, payload) error { return nil })
	}
	require.NoError(t, Enqueue(gdb, "count", payload{}, MaxAttempts(2)))
	first, err := crashed.claim(context.Background(), 8)
	require.NoError(t, err)
	require.Len(t, first, 1)
	second, err := heir.claim(context.Background(), 8)
	require.NoError(t, err)
	require.Empty(t, second, "claimed during the lease")
	eventually(t, "the lease expires", func() bool {
		second, err = heir.claim(context.Background(), 8)
		return err == nil && len(second) == 1
	})
	require.Equal(t, 2, second[0].Attempts)
	require.ErrorIs(t, finish(gdb, first[0], ended(done, "")), errLost)

	// A job whose process dies every time is dead in the end.
	eventually(t, "dead", func() bool {
		_, err = heir.claim(context.Background(), 8)
		return err == nil && all(t, gdb)[0].State == dead
	})
	require.Contains(t, all(t, gdb)[0].LastError, "the process died")
}

func TestLeaseIsRenewedWhileJobRuns(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	q.Lease = 60 * time.Millisecond
	var runs atomic.Int32
	release := make(chan struct{})
	Handle(q, "slow", func(context.Context, payload) error { runs.Add(1); <-release; return nil })
	require.NoError(t, Enqueue(gdb, "slow", payload{}))
	start(t, q)
	eventually(t, "running", func() bool { return runs.Load() == 1 })
	first := *all(t, gdb)[0].DueAt
	eventually(t, "renewed for five leases", func() bool { return *all(t, gdb)[0].DueAt > first+5*q.Lease.Milliseconds() })
	close(release)
	inState(t, gdb, done)
	require.EqualValues(t, 1, runs.Load())
}

func TestStopLetsJobsFinishThenReleasesThem(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	q.Grace = 100 * time.Millisecond
	started := make(chan struct{}, 2)
	Handle(q, "short", func(ctx context.Context, _ payload) error {
		started <- struct{}{}
		select {
		case <-time.After(20 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	Handle(q, "endless", func(ctx context.Context, _ payload) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	require.NoError(t, Enqueue(gdb, "short", payload{}))
	require.NoError(t, Enqueue(gdb, "endless", payload{}))
	stop := start(t, q)
	<-started
	<-started
	stop()
	jobs := all(t, gdb)
	require.Equal(t, done, jobs[0].State)
	require.Equal(t, ready, jobs[1].State, "it runs again immediately after the restart")
	require.Zero(t, jobs[1].Attempts, "a restart is not a failure")
	require.LessOrEqual(t, *jobs[1].DueAt, now())
}

func TestConcurrentQueuesShareJobs(t *testing.T) {
	for name, url := range databases(t) {
		t.Run(name, func(t *testing.T) {
			gdb := open(t, url)
			const count = 200
			var mu sync.Mutex
			seen := map[int]int{}
			for _, q := range []*Queue{fast(gdb), fast(gdb), fast(gdb)} {
				Handle(q, "count", func(_ context.Context, p payload) error {
					mu.Lock()
					defer mu.Unlock()
					seen[p.N]++
					return nil
				})
				start(t, q)
			}
			for n := range count {
				require.NoError(t, Enqueue(gdb, "count", payload{n}))
			}
			eventually(t, "all done", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == count })
			mu.Lock()
			defer mu.Unlock()
			for n, times := range seen {
				require.Equal(t, 1, times, "job %d", n)
			}
		})
	}
}

func TestRegistrationErrorsStopRun(t *testing.T) {
	for name, register := range map[string]func(*Queue){
		"two handlers": func(q *Queue) {
			Handle(q, "a", func(context.Context, payload) error { return nil })
			Handle(q, "a", func(context.Context, payload) error { return nil })
		},
		"invalid schedule": func(q *Queue) { Schedule(q, "every day", "a", nil) },
		"time zone":        func(q *Queue) { Schedule(q, "CRON_TZ=Europe/Berlin 30 2 * * *", "a", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			q := New(open(t, ""), quiet)
			register(q)
			require.Error(t, q.Run(context.Background()))
			err := Module(q).Start(context.Background())
			require.Error(t, err)
			require.NotContains(t, err.Error(), "jobs:", "the module's name is added by the caller")
		})
	}
}

func TestScheduleEnqueuesOneJobPerTick(t *testing.T) {
	gdb := open(t, "")
	for _, q := range []*Queue{fast(gdb), fast(gdb), fast(gdb)} {
		Schedule(q, "@every 1s", "tick", payload{1})
		Schedule(q, "@every 1s", "tick", payload{2})
		Handle(q, "tick", func(context.Context, payload) error { return nil })
		start(t, q)
	}
	eventually(t, "two ticks ran", func() bool {
		var n int64
		require.NoError(t, gdb.Model(&job{}).Where("state = ?", done).Count(&n).Error)
		return n >= 4
	})
	seen := map[string]bool{}
	for _, j := range all(t, gdb) {
		tick := j.Payload + strconv.FormatInt(j.CreatedAt/1000, 10)
		require.NotNil(t, j.UniqueKey)
		seen[tick+*j.UniqueKey] = true
	}
	require.Len(t, seen, len(all(t, gdb)))
	require.LessOrEqual(t, len(all(t, gdb)), 10)
}

func TestScheduledTimesAreDeterministic(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 7, 33, 5, time.FixedZone("", 3600))
	for spec, want := range map[string]string{
		"@every 10m": "2026-03-01T09:10:00Z",
		"30 3 * * *": "2026-03-02T03:30:00Z",
		"@hourly":    "2026-03-01T10:00:00Z",
		"0 0 * * 1":  "2026-03-02T00:00:00Z",
	} {
		q := &Queue{}
		Schedule(q, spec, "k", nil)
		require.NoError(t, q.err)
		require.Equal(t, want, q.schedules[0].next(at).Format(time.RFC3339), spec)
	}
}

func TestFinishedJobsAreDeleted(t *testing.T) {
	gdb := open(t, "")
	q := New(gdb, quiet)
	day := 24 * time.Hour
	at := time.Now()
	for state, age := range map[string]time.Duration{done: 8 * day, cancelled: 8 * day, dead: 31 * day} {
		for _, age := range []time.Duration{age, age - 2*day} {
			require.NoError(t, gdb.Create(&job{Kind: state, State: state, Payload: "1", FinishedAt: new(at.Add(-age).UnixMilli())}).Error)
		}
	}
	require.NoError(t, Enqueue(gdb, "waiting", 1))
	require.NoError(t, q.clean(context.Background(), at))
	require.Len(t, all(t, gdb), 4)
}

func TestCommands(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	fail := atomic.Bool{}
	fail.Store(true)
	Handle(q, "mail\nwelcome", func(context.Context, payload) error {
		if fail.Load() {
			return errors.New("no\x1b[31mserver")
		}
		return nil
	})
	run := func(line string) (string, error) {
		t.Helper()
		for _, c := range Module(q).Commands {
			if args, ok := strings.CutPrefix(line, c.Name); ok {
				var out bytes.Buffer
				err := c.Run(context.Background(), command.IO{Args: strings.Fields(args), Stdout: &out, Stderr: io.Discard})
				return out.String(), err
			}
		}
		t.Fatalf("no command for %q", line)
		return "", nil
	}
	require.NoError(t, Enqueue(gdb, "mail\nwelcome", payload{}, MaxAttempts(1)))
	stop := start(t, q)
	inState(t, gdb, dead)
	stop()

	out, err := run("jobs ls --state dead")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^1 +mail welcome +dead +1/1 .* no \[31mserver$`, out)
	out, err = run("jobs ls --kind other")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(out, "\n"))

	for _, wrong := range []string{"jobs ls --state lost", "jobs retry", "jobs retry x", "jobs retry 99", "jobs cancel", "jobs cancel 1", "work --workers 0"} {
		_, err := run(wrong)
		require.Error(t, err, wrong)
	}

	out, err = run("jobs retry 1")
	require.NoError(t, err)
	require.Equal(t, "1 to run again\n", out)
	out, err = run("jobs cancel 1")
	require.NoError(t, err)
	require.Equal(t, "1 cancelled\n", out)
	require.Equal(t, cancelled, all(t, gdb)[0].State)
	_, err = run("jobs retry 1")
	require.NoError(t, err)
	fail.Store(false)
	start(t, q)
	inState(t, gdb, done)
	require.Equal(t, 2, all(t, gdb)[0].Attempts)
}

// Cancelling a running job cancels its context.
func TestCancelRunningJob(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	q.Lease = 60 * time.Millisecond
	started, ended := make(chan struct{}), make(chan error, 1)
	Handle(q, "endless", func(ctx context.Context, _ payload) error {
		close(started)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil
	})
	require.NoError(t, Enqueue(gdb, "endless", payload{}))
	start(t, q)
	<-started
	require.NoError(t, q.cancelCommand(context.Background(), command.IO{Args: []string{"1"}, Stdout: io.Discard}))
	require.ErrorIs(t, <-ended, errLost)
	require.Equal(t, cancelled, all(t, gdb)[0].State)
}
