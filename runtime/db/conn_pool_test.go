package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/e2e/services"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// Tally is a table that is not locked.
type Tally struct {
	ID int64
	N  int64 `gorm:"not null"`
}

func openWith(t testing.TB, address string, c db.Config) *gorm.DB {
	t.Helper()
	gdb, err := db.Open(address, db.Options{Config: c})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close(gdb)) })
	return gdb
}

// While a table is locked for longer than any statement waits, and more statements
// need it than there are connections, statements on other tables are served as
// usual and the replica stays ready.
func TestLockedTableBlocksNoOther(t *testing.T) {
	for _, name := range []string{"postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			at := address(t, name)
			gdb := openWith(t, at, db.Config{Pool: 8, LockTimeout: time.Second})
			must(t, gdb.Migrator().CreateTable(&Counter{}, &Tally{}))
			must(t, gdb.Create(&Counter{N: 1}).Error)
			must(t, gdb.Create(&Tally{N: 1}).Error)
			pool, err := open(t, at).DB()
			must(t, err)
			locker, err := pool.Conn(t.Context())
			must(t, err)
			defer locker.Close()
			lock := "LOCK TABLES counters WRITE"
			if name == "postgres" {
				lock = "BEGIN; LOCK TABLE counters IN ACCESS EXCLUSIVE MODE"
			}
			_, err = locker.ExecContext(t.Context(), lock)
			must(t, err)

			begun := time.Now()
			var waiting sync.WaitGroup
			for i := range 60 {
				waiting.Go(func() {
					var err error
					switch i % 3 {
					case 0:
						_, err = db.Find[Counter](gdb, 1)
					case 1:
						err = gdb.Create(&Counter{N: 2}).Error
					case 2:
						err = gdb.Transaction(func(tx *gorm.DB) error { return tx.Model(&Counter{ID: 1}).Update("n", 2).Error })
					}
					if f := fault.From(err); err == nil || f.Status != http.StatusServiceUnavailable || f.RetryAfter == 0 {
						t.Errorf("statement %d: got %v", i, err)
					}
				})
			}
			slowest := time.Duration(0)
			for time.Since(begun) < 1500*time.Millisecond {
				one := time.Now()
				_, err := db.Find[Tally](gdb, 1)
				must(t, err)
				slowest = max(slowest, time.Since(one))
				must(t, db.Ready(t.Context(), gdb, nil))
			}
			if slowest > 500*time.Millisecond {
				t.Errorf("reading a row of another table took %s", slowest)
			}
			waiting.Wait()
			if took := time.Since(begun); took > 6*time.Second {
				t.Errorf("the last statement gave up after %s", took)
			}
			_, err = locker.ExecContext(t.Context(), map[string]string{"postgres": "ROLLBACK", "mysql": "UNLOCK TABLES"}[name])
			must(t, err)
			must(t, gdb.Transaction(func(tx *gorm.DB) error { return tx.Create(&Counter{N: 3}).Error }))
		})
	}
}

// Waiting for a connection, or on SQLite for the write lock, ends with an error at
// the limit, and the slots are released.
func TestWaitForConnectionIsLimited(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for limits")
	}
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			gdb := openWith(t, address(t, name), db.Config{Pool: 2, LockTimeout: 100 * time.Millisecond})
			must(t, gdb.Migrator().CreateTable(&Counter{}))
			ctx, cancel := context.WithCancel(t.Context())
			tx := gdb.WithContext(ctx).Begin() // ended only by its context
			must(t, tx.Create(&Counter{N: 1}).Error)
			err := gdb.Begin().Error
			if f := fault.From(err); f.Status != http.StatusServiceUnavailable || f.RetryAfter == 0 || !strings.Contains(err.Error(), "no connection within") {
				t.Errorf("second transaction: got %v", err)
			}
			cancel()
			for range 4 {
				must(t, gdb.Transaction(func(tx *gorm.DB) error { return tx.Create(&Counter{N: 2}).Error }))
			}
		})
	}
}

// More searches that read every row than there are connections do not block other
// reads of the same table.
func TestSlowSearchesBlockNoReads(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for limits")
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Tale{}))
		tales := make([]Tale, 500)
		for i := range tales {
			text := strings.Repeat(fmt.Sprintf("nothing of %d ", i), 4000)
			tales[i] = Tale{Title: "a tale", Content: &text}
		}
		must(t, gdb.CreateInBatches(tales, 50).Error)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		var mu sync.Mutex
		var searched, read []time.Duration
		for range 30 {
			group.Go(func() {
				for ctx.Err() == nil {
					begin := time.Now()
					found, err := db.List[Tale](db.Search(gdb.WithContext(t.Context()), "zq", "title", "content"), db.Query{}, "created_at")
					if f := fault.From(err); err == nil && len(found.Items) > 0 || err != nil && f.Status != http.StatusServiceUnavailable {
						t.Errorf("found %v, %v", found.Items, err)
					}
					mu.Lock()
					if err == nil {
						searched = append(searched, time.Since(begin))
					}
					mu.Unlock()
				}
			})
		}
		ends := time.Now().Add(2 * time.Second)
		for n := int64(0); n < 20 || time.Now().Before(ends); n++ {
			begin := time.Now()
			_, err := db.Find[Tale](gdb.WithContext(t.Context()), 1+n%500)
			must(t, err)
			read = append(read, time.Since(begin))
		}
		cancel()
		group.Wait()
		slices.Sort(read)
		slices.Sort(searched)
		if len(searched) == 0 {
			t.Fatal("no search succeeded")
		}
		search, most := searched[len(searched)/2], read[len(read)*19/20]
		t.Logf("%d searches, half within %s; of %d reads 19 of 20 within %s", len(searched), search, len(read), most)
		if most > search/4 {
			t.Errorf("reads take %s while searches take %s", most, search)
		}
	})
}

// A statement is cancelled at its limit, except in a migration.
func TestStatementTimeout(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for limits")
	}
	long := map[string]string{ // takes about n fifths of a second
		"sqlite":   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT %d * 1000000) SELECT count(*) FROM c",
		"postgres": "SELECT 1 FROM pg_sleep(%d / 5.0)",
		"mysql":    "SELECT 1 FROM (SELECT sleep(%d / 5.0)) AS s",
	}
	for name, query := range long {
		t.Run(name, func(t *testing.T) {
			gdb := openWith(t, address(t, name), db.Config{StatementTimeout: 200 * time.Millisecond})
			run := func(tx *gorm.DB, n int) error {
				var one int
				return tx.Raw(fmt.Sprintf(query, n)).Scan(&one).Error
			}
			begun := time.Now()
			err := run(gdb.WithContext(t.Context()), 100)
			if f := fault.From(err); err == nil || f.Status != http.StatusServiceUnavailable || time.Since(begun) > 5*time.Second {
				t.Errorf("ended after %s with %v", time.Since(begun), err)
			}
			_, err = db.Migrate(t.Context(), gdb, []db.Migration{{ID: "1", Up: func(tx *gorm.DB) error { return run(tx, 2) }}})
			must(t, err)
			for range 4 { // on any connection
				if err := run(gdb.WithContext(t.Context()), 100); err == nil || fault.From(err).Status != http.StatusServiceUnavailable {
					t.Errorf("after a migration: got %v", err)
				}
			}
		})
	}
}

// Clients that hang up at any moment cause no errors for others.
func TestClientsThatHangUp(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for seconds")
	}
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		must(t, gdb.Create(&Counter{N: 1}).Error)
		ends := time.Now().Add(2 * time.Second)
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				for time.Now().Before(ends) {
					ctx, cancel := context.WithCancel(t.Context())
					timer := time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, cancel)
					if rand.IntN(2) == 0 {
						_, _ = db.Find[Counter](gdb.WithContext(ctx), 1)
					} else {
						_ = gdb.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Create(&Counter{N: 2}).Error })
					}
					timer.Stop()
					cancel()
				}
			})
		}
		for range 8 {
			group.Go(func() {
				for time.Now().Before(ends) {
					_, err := db.Find[Counter](gdb.WithContext(t.Context()), 1)
					if err == nil {
						err = gdb.WithContext(t.Context()).Create(&Counter{N: 3}).Error
					}
					if err != nil {
						t.Errorf("another client got %v", err)
					}
				}
			})
		}
		group.Wait()
	})
}

// A client that hangs up in the middle of a statement does not break the
// connection, which others would have to wait for.
func TestConnectionsOutliveTheirClients(t *testing.T) {
	gdb := openWith(t, address(t, "postgres"), db.Config{Pool: 2})
	process := func() (pid int) {
		must(t, gdb.Raw("SELECT pg_backend_pid()").Scan(&pid).Error)
		return pid
	}
	was := process()
	for _, query := range []string{"SELECT 1 FROM pg_sleep(0.3)", "SELECT pg_sleep(0.01) FROM generate_series(1, 30)"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		hangUp := time.AfterFunc(100*time.Millisecond, cancel)
		_ = gdb.WithContext(ctx).Raw(query).Scan(&[]string{}).Error
		if ctx.Err() == nil {
			t.Errorf("%s ended before its client", query)
		}
		hangUp.Stop()
		cancel()
		if is := process(); is != was {
			t.Errorf("%s: the connection was replaced", query)
		}
	}
}

// While a server is killed and restarted, writers get a 503, and so do readers
// until it is back; nothing else fails.
func TestServerRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a server of its own")
	}
	server, err := services.StartPostgres()
	must(t, err)
	replicas := []*gorm.DB{open(t, server.URL), open(t, server.URL)}
	must(t, replicas[0].Migrator().CreateTable(&Counter{}))
	must(t, replicas[0].Create(&Counter{N: 1}).Error)
	must(t, replicas[0].Exec("CHECKPOINT").Error) // the server does not sync commits
	stop := make(chan struct{})
	var group sync.WaitGroup
	var mu sync.Mutex
	errs := map[string]int{}
	for i := range 16 {
		gdb := replicas[i%2]
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := db.Find[Counter](gdb, 1)
				if i%4 >= 2 {
					err = gdb.Transaction(func(tx *gorm.DB) error { return tx.Create(&Counter{N: 2}).Error })
				}
				if err != nil {
					mu.Lock()
					errs[fmt.Sprintf("%d %v", fault.From(err).Status, err)]++
					mu.Unlock()
					time.Sleep(5 * time.Millisecond) // avoid a busy loop
				}
			}
		})
	}
	back := func(all ...func() error) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			var err error
			for _, ask := range all {
				if err == nil {
					err = ask()
				}
			}
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("not back: %v", err)
			}
		}
	}
	for range 3 {
		var pid int
		// A query right after the last kill may succeed before the server notices,
		// so this may be the first one that fails.
		back(func() error { return replicas[0].Raw("SELECT pg_backend_pid()").Scan(&pid).Error })
		victim, err := os.FindProcess(pid)
		must(t, err)
		must(t, victim.Kill())
		back(func() error { return db.Ready(t.Context(), replicas[1], nil) },
			func() error { return replicas[0].Create(&Counter{N: 3}).Error })
	}
	close(stop)
	group.Wait()
	for what, n := range errs {
		t.Logf("%d times: %s", n, what)
		if !strings.HasPrefix(what, "503 ") {
			t.Error("not a 503")
		}
	}
}

// A full disk is a 507, and Ready reports it until a write succeeds.
func TestDiskFull(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		fill := map[string]string{
			"postgres": "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$",
			"mysql":    "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'Disk full'",
			"sqlite":   "INSERT INTO counters (n) SELECT 1 FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 100000) SELECT i FROM c)",
		}[gdb.Name()]
		if gdb.Name() == "sqlite" {
			must(t, gdb.Exec("PRAGMA max_page_count = 10").Error)
		}
		must(t, db.Ready(t.Context(), gdb, nil))
		for i, err := range []error{gdb.Exec(fill).Error, db.Ready(t.Context(), gdb, nil)} {
			if err == nil || fault.From(err).Status != http.StatusInsufficientStorage {
				t.Errorf("full disk: got %v in check %d", err, i)
			}
		}
		must(t, gdb.Create(&Counter{N: 1}).Error)
		must(t, db.Ready(t.Context(), gdb, nil))
	})
}
