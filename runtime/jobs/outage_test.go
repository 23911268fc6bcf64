package jobs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// record is a log that can be read concurrently.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) count(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), text)
}

// TestMissingTableIsRetried checks that a missing table is logged once and retried.
func TestMissingTableIsRetried(t *testing.T) {
	gdb, err := db.Open("sqlite:"+filepath.Join(t.TempDir(), "jobs.db"), db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close(gdb) })
	var failed atomic.Int64
	count := func(tx *gorm.DB) {
		if tx.Error != nil {
			failed.Add(1)
		}
	}
	require.NoError(t, errors.Join(gdb.Callback().Query().After("gorm:query").Register("count", count),
		gdb.Callback().Create().After("gorm:create").Register("count", count)))

	var log record
	q := New(gdb, slog.New(slog.NewTextHandler(&log, nil)))
	q.Poll = time.Millisecond
	ran := make(chan struct{}, 1)
	Handle(q, "test.once", func(context.Context, payload) error { ran <- struct{}{}; return nil })
	Schedule(q, "@every 1h", "test.hourly", payload{})
	start(t, q)
	eventually(t, "some failures", func() bool { return failed.Load() > 12 })
	require.Equal(t, 2, log.count("jobs are waiting for the database"), log.text.String()) // polling and the schedule
	require.Equal(t, 2, log.count("no such table")-log.count("deleting finished"), log.text.String())
	require.Zero(t, log.count("the database is back; jobs continue"))
	require.Error(t, Enqueue(gdb, "test.once", payload{}))

	_, err = db.Migrate(t.Context(), gdb, Migrations())
	require.NoError(t, err)
	require.NoError(t, Enqueue(gdb, "test.once", payload{}))
	select {
	case <-ran:
	case <-time.After(15 * time.Second):
		t.Fatal("the job did not run")
	}
	eventually(t, "both recover", func() bool { return log.count("the database is back; jobs continue") == 2 })
	require.Equal(t, 2, log.count("jobs are waiting for the database"))
}

func TestPausesGrow(t *testing.T) {
	var log record
	outage := outage{log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		outage.note(errors.New("down"))
		require.Equal(t, want*time.Second, outage.pause(time.Second))
	}
	outage.note(nil)
	outage.note(nil)
	require.Equal(t, time.Second, outage.pause(time.Second))
	require.Equal(t, time.Minute, outage.pause(time.Minute), "never less than the initial pause")
	require.Equal(t, []int{1, 1}, []int{log.count("jobs are waiting"), log.count("the database is back; jobs continue")})
}
