package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// While a transaction uses the writing connection, another goroutine waits for it
// below GORM with a new statement; the transaction can run that statement too.
func TestSameStatementInsideAndOutside(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Counter{}))
	pool, err := gdb.DB()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	const statement = "INSERT INTO counters (n) VALUES (?)"
	outside := make(chan error, 1)
	waited := pool.Stats().WaitCount
	must(t, gdb.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		go func() {
			_, err := pool.ExecContext(ctx, statement, 1)
			outside <- err
		}()
		for pool.Stats().WaitCount == waited && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		return tx.Exec(statement, 2).Error
	}))
	must(t, <-outside)
}

// A statement can run again while rows of its first run are open on the same
// connection.
func TestSameStatementWhileItsRowsAreOpen(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Counter{}))
	must(t, gdb.Create(&[]Counter{{N: 1}, {N: 2}, {N: 3}}).Error)
	must(t, gdb.Transaction(func(tx *gorm.DB) error {
		const query = "SELECT n FROM counters ORDER BY id"
		rows, err := tx.Raw(query).Rows()
		must(t, err)
		defer rows.Close()
		for want := int64(1); rows.Next(); want++ {
			var n int64
			var all []int64
			must(t, rows.Scan(&n))
			must(t, tx.Raw(query).Scan(&all).Error)
			if n != want || len(all) != 3 {
				t.Errorf("row %d, rows of the inner query: %v", n, all)
			}
		}
		return rows.Err()
	}))
}

// Statements see schema changes, and their number is not limited.
func TestStatementCache(t *testing.T) {
	gdb := open(t, address(t, "sqlite"))
	must(t, gdb.Migrator().CreateTable(&Counter{}))
	must(t, gdb.Create(&Counter{N: 1}).Error)
	for i := range 5 {
		var row map[string]any
		must(t, gdb.Raw("SELECT * FROM counters").Scan(&row).Error)
		if len(row) != 2+i {
			t.Errorf("%d columns: %v", len(row), row)
		}
		must(t, gdb.Exec(fmt.Sprintf("ALTER TABLE counters ADD COLUMN c%d text", i)).Error)
	}
	for i := range 1000 {
		var n int64
		must(t, gdb.Raw(fmt.Sprintf("SELECT %d + count(*) FROM counters", i)).Scan(&n).Error)
		if n != int64(i+1) {
			t.Fatalf("statement %d returned %d", i, n)
		}
	}
	// A failed statement can run again.
	for range 3 {
		if gdb.Exec("INSERT INTO counters (id, n) VALUES (?, ?)", 1, 1).Error == nil {
			t.Error("a duplicate id was inserted")
		}
	}
	must(t, gdb.Exec("INSERT INTO counters (id, n) VALUES (?, ?)", 2, 1).Error)
	if err := gdb.Exec("INSERT INTO nowhere VALUES (1)").Error; err == nil {
		t.Error("inserting into a missing table succeeded")
	}
	c, err := db.Find[Counter](gdb, 2)
	must(t, err)
	if c.N != 1 {
		t.Errorf("row: %+v", c)
	}
}

// A table can be dropped and altered inside the caller's own transaction.
func TestMigratorInTransaction(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		if gdb.Name() == "mysql" {
			return // every schema change commits there
		}
		must(t, gdb.Migrator().CreateTable(&Counter{}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		must(t, gdb.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&Counter{N: 1}).Error)
			must(t, tx.Migrator().DropColumn(&Counter{}, "n"))
			return tx.Migrator().DropTable(&Counter{})
		}))
		if gdb.Migrator().HasTable(&Counter{}) {
			t.Error("the table is still there")
		}
	})
}
