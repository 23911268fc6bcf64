package auth

import (
	"context"
	"testing"
	"time"

	"github.com/nexios-go/nexios/runtime/jobs"
)

// work runs the queue until the test ends.
func work(t *testing.T, queue *jobs.Queue) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- queue.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// settled waits until no job is left.
func (w world) settled(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var open int64
		if err := w.db.Table("jobs").Where("state <> ?", "done").Count(&open).Error; err != nil {
			t.Fatal(err)
		}
		if open == 0 {
			return
		}
	}
	t.Fatal("jobs are left")
}
