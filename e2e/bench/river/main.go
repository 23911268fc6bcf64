// River compares background jobs on PostgreSQL with those of River, in one run:
// CPU of the program and of the server for 1,000 jobs, and how soon a job of
// another process is begun. It has a module of its own, so that nothing else
// needs River's. Linux only: it reads /proc.
//
//	go run ./e2e/services/run -- go run -C e2e/bench/river .
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/jobs"
)

const (
	count   = 4000
	clients = 4
	rounds  = 5
	workers = 50
)

// side is one of the two queues, on a database of its own.
type side interface {
	enqueue(context.Context) error               // one job, in a transaction
	work(ctx context.Context, workers int) error // until ctx ends
	ran() *atomic.Int64                          // jobs that have run
	left(context.Context) (int, error)           // jobs that are not recorded as done
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	base := os.Getenv("NEXIOS_TEST_POSTGRES")
	if base == "" {
		return fmt.Errorf("no PostgreSQL\n  try: go run ./e2e/services/run -- go run -C e2e/bench/river .")
	}
	server, err := pgx.Connect(ctx, base)
	if err != nil {
		return err
	}
	defer server.Close(ctx)
	postmaster, err := parent(int(server.PgConn().PID()))
	if err != nil {
		return err
	}
	var sides []side
	for _, open := range []func(context.Context, string) (side, func(), error){openOurs, openRiver} {
		name := "bench_" + strings.ToLower(rand.Text())
		if _, err := server.Exec(ctx, "CREATE DATABASE "+name); err != nil {
			return err
		}
		defer server.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		u, err := url.Parse(base)
		if err != nil {
			return err
		}
		u.Path = "/" + name
		s, closed, err := open(ctx, u.String())
		if err != nil {
			return err
		}
		defer closed()
		sides = append(sides, s)
	}
	var enqueued, worked, heard [2][]float64
	for range rounds {
		for i, s := range sides {
			spent, err := cost(postmaster, func() error { return fill(ctx, s) })
			if err != nil {
				return err
			}
			enqueued[i] = append(enqueued[i], spent)
			if spent, err = cost(postmaster, func() error { return drain(ctx, s) }); err != nil {
				return err
			}
			worked[i] = append(worked[i], spent)
			soon, err := latency(ctx, s)
			if err != nil {
				return err
			}
			heard[i] = append(heard[i], soon)
		}
	}
	for _, line := range []struct {
		what, unit, aim string
		values          [2][]float64
	}{
		{"enqueue, CPU of program and PostgreSQL / River", "us", "1.00", enqueued},
		{"work, CPU of program and PostgreSQL / River", "us", "1.00", worked},
		{"a job of another connection is begun after / River", "us", "20 ms", heard},
	} {
		ours, theirs := slices.Min(line.values[0]), slices.Min(line.values[1])
		fmt.Printf("  %-52s %9.0f %s %9.0f %s   %.2f (%s)\n", "jobs: "+line.what, ours, line.unit, theirs, line.unit, ours/theirs, line.aim)
	}
	return nil
}

// fill enqueues the jobs, each in a transaction of its own.
func fill(ctx context.Context, s side) error {
	var wait sync.WaitGroup
	errs := make(chan error, clients)
	for range clients {
		wait.Go(func() {
			for range count / clients {
				if err := s.enqueue(ctx); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}

// drain runs what is enqueued.
func drain(ctx context.Context, s side) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	over := make(chan error, 1)
	working, stop := context.WithCancel(ctx)
	defer stop()
	go func() { over <- s.work(working, workers) }()
	for {
		left, err := s.left(ctx)
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return <-over
}

// latency is the median time from before an enqueue to the job, in microseconds,
// with a worker that is idle.
func latency(ctx context.Context, s side) (float64, error) {
	over := make(chan error, 1)
	working, stop := context.WithCancel(ctx)
	defer stop()
	go func() { over <- s.work(working, workers) }()
	time.Sleep(time.Second) // both listen by now
	var took []time.Duration
	for range 15 {
		before, begin := s.ran().Load(), time.Now()
		if err := s.enqueue(ctx); err != nil {
			return 0, err
		}
		for s.ran().Load() == before {
			time.Sleep(100 * time.Microsecond)
		}
		took = append(took, time.Since(begin))
		time.Sleep(150 * time.Millisecond) // beyond River's pause between two fetches
	}
	stop()
	slices.Sort(took)
	return float64(took[len(took)/2].Microseconds()), <-over
}

type ours struct {
	gdb, other *gorm.DB
	n          atomic.Int64
}

func openOurs(ctx context.Context, at string) (side, func(), error) {
	s := new(ours)
	var err error
	if s.gdb, err = db.Open(at, db.Options{}); err != nil {
		return nil, nil, err
	}
	if s.other, err = db.Open(at, db.Options{}); err != nil {
		return nil, nil, err
	}
	_, err = db.Migrate(ctx, s.gdb, jobs.Migrations())
	return s, func() { db.Close(s.gdb); db.Close(s.other) }, err
}

func (s *ours) enqueue(ctx context.Context) error {
	return s.other.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return jobs.Enqueue(tx, "bench", args{1})
	})
}

func (s *ours) work(ctx context.Context, workers int) error {
	gdb := s.gdb.Session(&gorm.Session{NewDB: true})
	q := jobs.New(gdb, slog.New(slog.NewTextHandler(io.Discard, nil)))
	q.Workers = workers
	jobs.Handle(q, "bench", func(context.Context, args) error { s.n.Add(1); return nil })
	return q.Run(ctx)
}

func (s *ours) ran() *atomic.Int64 { return &s.n }

func (s *ours) left(ctx context.Context) (n int, err error) {
	return n, s.gdb.WithContext(ctx).Raw("SELECT count(*) FROM jobs WHERE state <> 'done'").Scan(&n).Error
}

type args struct {
	N int `json:"n"`
}

func (args) Kind() string { return "bench" }

type worker struct {
	river.WorkerDefaults[args]
	n *atomic.Int64
}

func (w *worker) Work(context.Context, *river.Job[args]) error { w.n.Add(1); return nil }

type theirs struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx] // that only inserts
	n      atomic.Int64
}

func openRiver(ctx context.Context, at string) (side, func(), error) {
	s := new(theirs)
	var err error
	if s.pool, err = pgxpool.New(ctx, at); err != nil {
		return nil, nil, err
	}
	driver := riverpgxv5.New(s.pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return nil, nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, nil, err
	}
	s.client, err = river.NewClient(driver, &river.Config{})
	return s, s.pool.Close, err
}

func (s *theirs) enqueue(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := s.client.InsertTx(ctx, tx, args{1}, nil)
		return err
	})
}

func (s *theirs) work(ctx context.Context, workers int) error {
	known := river.NewWorkers()
	river.AddWorker(known, &worker{n: &s.n})
	client, err := river.NewClient(riverpgxv5.New(s.pool), &river.Config{
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers: known,
	})
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	<-ctx.Done()
	return client.Stop(context.WithoutCancel(ctx))
}

func (s *theirs) ran() *atomic.Int64 { return &s.n }

func (s *theirs) left(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&n)
	return n, err
}

// cost is the CPU of this program and of the server, in microseconds a job.
func cost(postmaster int, f func() error) (float64, error) {
	before, err := spent(postmaster)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := spent(postmaster)
	return float64((after - before).Microseconds()) / count, err
}

func spent(postmaster int) (time.Duration, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, err
	}
	sum := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		stat, err := fields(file)
		if err != nil {
			continue // it has ended
		}
		// pid, then from the third field on: see proc(5).
		times := stat[11:13]
		if pid := filepath.Base(filepath.Dir(file)); pid == strconv.Itoa(postmaster) {
			times = stat[11:15] // and of those that have ended
		} else if stat[1] != strconv.Itoa(postmaster) {
			continue
		}
		for _, ticks := range times {
			n, err := strconv.Atoi(ticks)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum, nil
}

// parent is the process that a backend of PostgreSQL belongs to.
func parent(pid int) (int, error) {
	stat, err := fields(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("this bench needs Linux and a server on this machine: %w", err)
	}
	return strconv.Atoi(stat[1])
}

// fields are those of a stat file behind the name of the program.
func fields(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest), nil
}
