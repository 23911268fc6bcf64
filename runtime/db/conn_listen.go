package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Listen calls notify once it listens to a channel of PostgreSQL, and for every
// NOTIFY on it, until ctx ends or its connection, which is not of the pool, breaks.
// Other databases have no channels, and poolers such as PgBouncer do not forward
// notifications: Listen then returns errors.ErrUnsupported.
func Listen(ctx context.Context, gdb *gorm.DB, channel string, notify func()) error {
	p, ok := gdb.ConnPool.(*serverPool)
	if !ok || gdb.Name() != "postgres" || p.pooler {
		return fmt.Errorf("listen to %s: %w", channel, errors.ErrUnsupported)
	}
	opened, err := p.connector.Connect(ctx)
	if err != nil {
		return Translate(err)
	}
	defer opened.Close()
	conn := opened.(*stdlib.Conn).Conn()
	name := gdb.Statement.Quote(clause.Column{Name: channel})
	if _, err := conn.Exec(ctx, "LISTEN "+name); err != nil {
		return Translate(err)
	}
	notify()
	defer context.AfterFunc(ctx, func() { _ = conn.PgConn().Conn().SetDeadline(time.Now()) })()
	for {
		// A server that is gone without closing the connection is detected by a
		// ping.
		quiet, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingAfter)
		_, err := conn.WaitForNotification(quiet)
		if err != nil && ctx.Err() == nil && errors.Is(quiet.Err(), context.DeadlineExceeded) && !conn.IsClosed() {
			err = conn.Ping(ctx)
		} else if err == nil {
			notify()
		}
		cancel()
		if err = errors.Join(ctx.Err(), err); err != nil {
			return Translate(err)
		}
	}
}

// pingAfter is how long a connection may be quiet before the server is pinged.
const pingAfter = 30 * time.Second
