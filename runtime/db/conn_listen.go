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

// Listen calls heard when it has begun to listen to a channel of PostgreSQL, and
// for every NOTIFY on it, until ctx ends or the connection, which is one of its
// own, breaks. Other databases have no channels, and poolers such as PgBouncer
// pass none on: Listen then returns errors.ErrUnsupported.
func Listen(ctx context.Context, gdb *gorm.DB, channel string, heard func()) error {
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
	heard()
	defer context.AfterFunc(ctx, func() { _ = conn.PgConn().Conn().SetDeadline(time.Now()) })()
	for {
		// A server that is gone without a word is noticed by asking it.
		quiet, cancel := context.WithTimeout(context.WithoutCancel(ctx), stillThere)
		_, err := conn.WaitForNotification(quiet)
		if err != nil && ctx.Err() == nil && errors.Is(quiet.Err(), context.DeadlineExceeded) && !conn.IsClosed() {
			err = conn.Ping(ctx)
		} else if err == nil {
			heard()
		}
		cancel()
		if err = errors.Join(ctx.Err(), err); err != nil {
			return Translate(err)
		}
	}
}

// stillThere is after how long without a word a server is asked.
const stillThere = 30 * time.Second
