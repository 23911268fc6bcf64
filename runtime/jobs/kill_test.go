package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

const (
	childVariable = "JOBS_TEST_CHILD" // database of the child process
	totalVariable = "JOBS_TEST_TOTAL" // number of jobs; default 2,000
)

// TestMain runs a worker process if the environment says so.
func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		if err := workUntilKilled(url, total()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func total() int {
	if n, err := strconv.Atoi(os.Getenv(totalVariable)); err == nil {
		return n
	}
	return 2000
}

// order is the data of a job: both commit together.
type order struct{ ID int }

// workUntilKilled places orders, each with a job, and runs the jobs.
func workUntilKilled(url string, total int) error {
	gdb, err := db.Open(url, db.Options{Log: quiet})
	if err != nil {
		return err
	}
	q := New(gdb, quiet)
	q.Lease, q.Poll, q.Backoff = 500*time.Millisecond, 50*time.Millisecond, time.Millisecond
	HandleTx(q, "order", func(_ context.Context, tx *gorm.DB, p payload) error {
		return tx.Create(&effect{N: p.N}).Error
	})
	finished := make(chan error, 1)
	go func() { finished <- q.Run(context.Background()) }()

	var last int
	if err := gdb.Model(&order{}).Select("COALESCE(MAX(id), 0)").Scan(&last).Error; err != nil {
		return err
	}
	regret := errors.New("rolled back")
	place := func(n int, end error) error {
		return gdb.Transaction(func(tx *gorm.DB) error {
			if err := Enqueue(tx, "order", payload{n}, Unique(strconv.Itoa(n)), MaxAttempts(50)); err != nil {
				return err
			}
			if err := tx.Create(&order{n}).Error; err != nil {
				return err
			}
			return end
		})
	}
	for n := last + 1; n <= total; n++ {
		// The server may have committed the previous process's transaction only after
		// that was killed, and after this one read the last id.
		if err := place(n, nil); err != nil && fault.From(err).Status != http.StatusConflict {
			return err
		}
		if n%5 == 0 {
			if err := place(1_000_000+n, regret); !errors.Is(err, regret) {
				return fmt.Errorf("the roll-back: %w", err)
			}
			if err := Enqueue(gdb, "order", payload{n}, Unique(strconv.Itoa(n))); err != nil {
				return err
			}
		}
	}
	return <-finished
}

// When the process is killed ten times at arbitrary moments, every job of a committed
// transaction takes effect exactly once, and no job of a rolled-back one does.
func TestKilledTenTimes(t *testing.T) {
	for name, url := range databases(t) {
		t.Run(name, func(t *testing.T) {
			gdb := open(t, url)
			require.NoError(t, gdb.AutoMigrate(&effect{}, &order{}))
			count := func(model any) int {
				var n int64
				if err := gdb.Model(model).Count(&n).Error; err != nil {
					t.Log(err)
				}
				return int(n)
			}
			total := total()
			kills := 0
			for kills < 10 {
				child := exec.Command(os.Args[0])
				child.Env = append(os.Environ(), childVariable+"="+url)
				var output strings.Builder
				child.Stderr = &output
				require.NoError(t, child.Start())
				exited := make(chan error, 1)
				go func() { exited <- child.Wait() }()
				// Wait for progress, so that the kill interrupts work.
				goal := (kills + 1) * total / 12
				deadline := time.Now().Add(time.Minute)
				for count(&effect{}) < goal && time.Now().Before(deadline) {
					select {
					case err := <-exited:
						t.Fatalf("the child exited: %v\n%s", err, output.String())
					case <-time.After(2 * time.Millisecond):
					}
				}
				require.NoError(t, child.Process.Kill())
				<-exited
				kills++
				require.Less(t, count(&effect{}), total, "killed too late")
			}
			// The eleventh process may finish.
			last := exec.Command(os.Args[0])
			last.Env = append(os.Environ(), childVariable+"="+url)
			require.NoError(t, last.Start())
			defer func() { _ = last.Process.Kill(); _ = last.Wait() }()
			var open int64 = -1
			require.Eventually(t, func() bool {
				gdb.Model(&job{}).Where("state <> ?", done).Count(&open)
				return open == 0 && count(&order{}) == total
			}, 3*time.Minute, 20*time.Millisecond)

			var effects []effect
			require.NoError(t, gdb.Find(&effects).Error)
			times := map[int]int{}
			for _, e := range effects {
				times[e.N]++
			}
			require.Len(t, times, total, "committed orders")
			for n, k := range times {
				require.Equal(t, 1, k, "order %d", n)
				require.LessOrEqual(t, n, total, "a rolled-back order ran")
			}
			var again int64
			require.NoError(t, gdb.Model(&job{}).Where("attempts > 1").Count(&again).Error)
			t.Logf("%d kills, %d jobs, %d ran again", kills, total, again)
		})
	}
}

// databases returns the URL of a private database on each server.
func databases(t *testing.T) map[string]string {
	return map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(t.TempDir(), "jobs.db"),
		"postgres": private(t, services.Postgres(t)),
		"mariadb":  private(t, services.MySQL(t)),
	}
}

// private creates a database on the server at base and drops it after the test.
func private(t *testing.T, base string) string {
	t.Helper()
	server, err := db.Open(base, db.Options{Log: quiet})
	require.NoError(t, err)
	name := "jobs_" + strings.ToLower(rand.Text()[:12])
	require.NoError(t, server.Exec("CREATE DATABASE "+name).Error)
	t.Cleanup(func() {
		_ = server.Exec("DROP DATABASE " + name).Error
		_ = db.Close(server)
	})
	u, err := url.Parse(base)
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}
