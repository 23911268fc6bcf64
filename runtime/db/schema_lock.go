package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// lock makes other replicas wait until unlock is called or conn is closed.
//
// SQLite has no lock except that of a transaction, so each step checks itself
// whether another replica has already run it. There, lock suspends foreign keys,
// which is possible only outside of a transaction, and raises the busy timeout.
func lock(ctx context.Context, conn *sql.Conn, gdb *gorm.DB) (unlock func(), err error) {
	release := func(statement string) func() {
		return func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), statement) }
	}
	if p, ok := gdb.ConnPool.(*serverPool); ok { // waiting for the lock and building indexes may exceed the limits
		if _, err := conn.ExecContext(ctx, p.free); err != nil {
			return nil, err
		}
		forget := release
		release = func(statement string) func() {
			return func() { forget(statement)(); forget(p.limits)() }
		}
	}
	switch gdb.Name() {
	case "postgres":
		const key = "(hashtext('schema_migrations'), hashtext(current_schema()))"
		// By polling: a statement that waits for the lock would block an index that
		// the other replica builds concurrently, which waits for all earlier
		// statements.
		for got := false; ; {
			if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock"+key).Scan(&got); err != nil {
				return nil, err
			}
			if got {
				return release("SELECT pg_advisory_unlock" + key), nil
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(lockWait / 5):
			}
		}
	case "mysql":
		const name = "left(concat('schema_migrations.', database()), 64)"
		var got sql.NullInt64
		for got.Int64 != 1 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			// Null is an error of the server, 0 a timeout after 10 seconds.
			if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", 10)").Scan(&got); err != nil {
				return nil, err
			}
			if !got.Valid {
				return nil, errors.New("GET_LOCK did not work")
			}
		}
		return release("DO RELEASE_LOCK(" + name + ")"), nil
	case "sqlite":
		var limit time.Duration
		err := conn.Raw(func(c any) error {
			limit, c.(*cachingConn).limit = c.(*cachingConn).limit, 0
			return nil
		})
		if err == nil {
			_, err = conn.ExecContext(ctx, "PRAGMA foreign_keys = OFF; PRAGMA busy_timeout = 60000")
		}
		return func() {
			release("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000")()
			_ = conn.Raw(func(c any) error { c.(*cachingConn).limit = limit; return nil })
		}, err
	}
	return nil, fmt.Errorf("no lock for %s", gdb.Name())
}
