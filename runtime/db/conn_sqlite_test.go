package db_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

type Counter struct {
	ID int64
	N  int64 `gorm:"not null"`
}

// 64 concurrent writers, in transactions that read first and without, next to
// readers: no statement fails and no update is lost.
func TestConcurrentWriters(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		must(t, gdb.Create(&[]Counter{{N: 0}, {N: 0}}).Error)
		begin := time.Now()
		ends := begin.Add(500 * time.Millisecond)
		var done [2]atomic.Int64
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				for time.Now().Before(ends) {
					var err error
					switch {
					case i%2 == 0:
						err = gdb.Model(&Counter{}).Where("id = 1").Update("n", gorm.Expr("n + 1")).Error
					case gdb.Name() == "sqlite":
						err = gdb.Transaction(func(tx *gorm.DB) error {
							c, err := db.Find[Counter](tx, 2)
							if err != nil {
								return err
							}
							return tx.Model(&c).Update("n", c.N+1).Error
						})
					default:
						err = gdb.Model(&Counter{}).Where("id = 2").Update("n", gorm.Expr("n + 1")).Error
					}
					if err != nil {
						t.Error(err)
						return
					}
					done[i%2].Add(1)
				}
			})
		}
		for range 4 {
			wg.Go(func() {
				for time.Now().Before(ends) {
					if _, err := db.Find[Counter](gdb, 1); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		for i := range done {
			c, err := db.Find[Counter](gdb, i+1)
			must(t, err)
			if c.N != done[i].Load() || c.N == 0 {
				t.Errorf("counter %d is %d after %d updates", i+1, c.N, done[i].Load())
			}
		}
		t.Logf("%d and %d updates in %v", done[0].Load(), done[1].Load(), time.Since(begin))
	})
}

// The write-ahead log is checkpointed while rows are written without transactions
// under constant reads.
func TestWriteAheadLogStaysBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for seconds")
	}
	address := address(t, "sqlite")
	gdb := open(t, address)
	type Note struct {
		ID   int64
		Text string
	}
	must(t, gdb.Migrator().CreateTable(&Note{}))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := db.List[Note](gdb, db.Query{}, "id"); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	text := strings.Repeat("x", 32000)
	var most int64
	for range 3000 { // 120 MB of pages
		must(t, gdb.Create(&Note{Text: text}).Error)
		if info, err := os.Stat(strings.TrimPrefix(address, "sqlite:") + "-wal"); err == nil {
			most = max(most, info.Size())
		}
	}
	close(stop)
	wg.Wait()
	if most == 0 || most > 64<<20 {
		t.Errorf("the log grew to %d bytes", most)
	}
	t.Logf("the log grew to %d bytes", most)
}

// A handler may query and write while its own rows are open.
func TestStatementsWhileRowsAreOpen(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		must(t, gdb.Create(&[]Counter{{N: 1}, {N: 2}, {N: 3}}).Error)
		rows, err := gdb.Model(&Counter{}).Order("id").Rows()
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var c Counter
			must(t, gdb.ScanRows(rows, &c))
			again, err := db.Find[Counter](gdb, c.ID)
			must(t, err)
			must(t, gdb.Model(&again).Update("n", c.N*10).Error)
		}
		// Reads outside of an open transaction see the state before it.
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Model(&Counter{ID: 1}).Update("n", 99).Error)
			c, err := db.Find[Counter](gdb, 1)
			must(t, err)
			if c.N != 10 {
				t.Errorf("read an uncommitted value: %d", c.N)
			}
			return nil
		}))
		c, err := db.Find[Counter](gdb, 1)
		must(t, err)
		if c.N != 99 {
			t.Errorf("did not read the committed value: %d", c.N)
		}
	})
}

// Transactions nest by savepoints, and roll back on errors and panics without
// keeping the write lock.
func TestTransactions(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		boom := errors.New("boom")
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&Counter{N: 1}).Error)
			if err := tx.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Create(&Counter{N: 2}).Error)
				return boom
			}); !errors.Is(err, boom) {
				t.Error(err)
			}
			return nil
		}))
		func() {
			defer func() { _ = recover() }()
			_ = gdb.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Create(&Counter{N: 3}).Error)
				panic(boom)
			})
		}()
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			_, err := db.Find[Counter](tx, 1)
			return err
		}, &sql.TxOptions{ReadOnly: true}))
		var all []int64
		must(t, gdb.Model(&Counter{}).Pluck("n", &all).Error)
		if len(all) != 1 || all[0] != 1 {
			t.Errorf("rows: %v", all)
		}
	})
}

// In-memory databases are private, leave no files behind, and survive idle
// connections.
func TestMemory(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	one, two := open(t, "sqlite::memory:"), open(t, "sqlite::memory:")
	must(t, one.Migrator().CreateTable(&Counter{}))
	if two.Migrator().HasTable(&Counter{}) {
		t.Error("two databases share their tables")
	}
	must(t, db.Close(one))
	must(t, db.Close(two))
	left, err := os.ReadDir(tmp)
	must(t, err)
	if len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}

// Readers cannot write, whatever a statement looks like to the router.
func TestReadersOnlyRead(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Counter{}))
	var c Counter
	must(t, gdb.Raw("INSERT INTO counters (n) VALUES (5) RETURNING *").Scan(&c).Error)
	must(t, gdb.Raw("WITH x AS (SELECT 1 AS i) UPDATE counters SET n = 6 WHERE id IN (SELECT i FROM x) RETURNING *").Scan(&c).Error)
	must(t, gdb.Raw(" \n select * from counters").Scan(&c).Error)
	if c.ID != 1 || c.N != 6 {
		t.Errorf("row: %+v", c)
	}
	err := gdb.Transaction(func(tx *gorm.DB) error { return tx.Create(&Counter{}).Error }, &sql.TxOptions{ReadOnly: true})
	if err == nil {
		t.Error("a read-only transaction has written")
	}
}

// File names are taken literally.
func TestFileNamesAreLiteral(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "100%.db", "x?y=1.db", "#1.db", "ü.db", "a&b.db", "%41.db"} {
		if runtime.GOOS == "windows" && strings.Contains(name, "?") {
			continue // not a valid name there
		}
		gdb := open(t, "sqlite:"+filepath.Join(dir, name))
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v (%s)", name, err, url.PathEscape(name))
		}
	}
	t.Chdir(dir)
	for _, name := range []string{"relative.db", "sub/relative.db", "./dot.db"} {
		gdb := open(t, "sqlite:"+name)
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	must(t, os.WriteFile("file", nil, 0o600))
	gdb := open(t, "sqlite:file/x.db")
	if err := db.Ping(t.Context(), gdb); err == nil || !strings.Contains(fmt.Sprint(err), "try:") {
		t.Errorf("a file as a directory: %v", err)
	}
}
