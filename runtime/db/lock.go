package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// lock makes other replicas wait until unlock is called or conn ends.
//
// SQLite has no lock but that of a transaction, which begins by taking it; so
// there every step looks for itself whether another replica was faster. What
// lock does there is to suspend foreign keys, which works outside of
// transactions only, and to wait longer.
func lock(ctx context.Context, conn *sql.Conn, dialect string) (unlock func(), err error) {
	release := func(statement string) func() {
		return func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), statement) }
	}
	switch dialect {
	case "postgres":
		const key = "(hashtext('schema_migrations'), hashtext(current_schema()))"
		_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock"+key)
		return release("SELECT pg_advisory_unlock" + key), err
	case "mysql":
		const name = "left(concat('schema_migrations.', database()), 64)"
		var got sql.NullInt64
		for got.Int64 != 1 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			// Null is an error of the server, 0 that the 10 seconds are over.
			if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", 10)").Scan(&got); err != nil {
				return nil, err
			}
			if !got.Valid {
				return nil, errors.New("GET_LOCK did not work")
			}
		}
		return release("DO RELEASE_LOCK(" + name + ")"), nil
	case "sqlite":
		_, err := conn.ExecContext(ctx, "PRAGMA foreign_keys = OFF; PRAGMA busy_timeout = 60000")
		return release("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000"), err
	}
	return nil, fmt.Errorf("no lock for %s", dialect)
}
