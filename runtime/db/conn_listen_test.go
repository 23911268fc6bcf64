package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
)

// A listener is notified by another connection once its transaction has committed,
// and ends with its context or its connection.
func TestListen(t *testing.T) {
	each(t, func(t *testing.T, gdb *gorm.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		notified, ended := make(chan struct{}, 10), make(chan error, 1)
		listen := func() { ended <- db.Listen(ctx, gdb, "news of today", func() { notified <- struct{}{} }) }
		go listen()
		next := func(what string, c <-chan struct{}) {
			t.Helper()
			select {
			case <-c:
			case err := <-ended:
				t.Fatalf("%s: Listen ended: %v", what, err)
			case <-time.After(15 * time.Second):
				t.Fatal(what)
			}
		}
		if gdb.Name() != "postgres" {
			if err := <-ended; !errors.Is(err, errors.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		next("it does not listen", notified)
		must(t, gdb.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Exec(`NOTIFY "news of today"`).Error)
			if len(notified) > 0 {
				t.Error("notified before the commit")
			}
			return nil
		}))
		next("no notification", notified)

		must(t, gdb.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()").Error)
		if err := <-ended; err == nil || ctx.Err() != nil {
			t.Errorf("a broken connection: %v", err)
		}
		go listen()
		next("it does not listen again", notified)
		begin := time.Now()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(begin) > 5*time.Second {
			t.Errorf("Listen ended with %v after %s", err, time.Since(begin))
		}
	})
}
