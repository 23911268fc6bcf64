package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// What one process says another hears, once its transaction is over; and a
// listener ends with its context, or with its connection.
func TestListen(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		heard, over := make(chan struct{}, 10), make(chan error, 1)
		listen := func() { over <- db.Listen(ctx, gdb, "news of today", func() { heard <- struct{}{} }) }
		go listen()
		next := func(what string, c <-chan struct{}) {
			t.Helper()
			select {
			case <-c:
			case err := <-over:
				t.Fatalf("%s: over: %v", what, err)
			case <-time.After(15 * time.Second):
				t.Fatal(what)
			}
		}
		if gdb.Name() != "postgres" {
			if err := <-over; !errors.Is(err, errors.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		next("it does not listen", heard)
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Exec(`NOTIFY "news of today"`).Error)
			if len(heard) > 0 {
				t.Error("it is heard before it is said")
			}
			return nil
		}))
		next("a notification is not heard", heard)

		must(t, gdb.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()").Error)
		if err := <-over; err == nil || ctx.Err() != nil {
			t.Errorf("a broken connection: %v", err)
		}
		go listen()
		next("it does not listen again", heard)
		begin := time.Now()
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) || time.Since(begin) > 5*time.Second {
			t.Errorf("it ends with %v after %s", err, time.Since(begin))
		}
	})
}
