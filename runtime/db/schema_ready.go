package db

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Ready is nil when the database answers and no migration of list is pending.
// It asks on a connection of its own: a server that is busy, or a table that is
// locked, is not gone, and another replica would do no better. Where the last
// write found no space, it is a fault 507: what is there can still be read.
func Ready(ctx context.Context, gdb *gorm.DB, list []Migration) error {
	spare := gdb.Session(&gorm.Session{NewDB: true, Context: ctx})
	if p, ok := gdb.ConnPool.(*serverPool); ok {
		spare.Statement.ConnPool = p.spare
	}
	pending, err := Pending(ctx, spare, list)
	if err != nil && inspect(err).kind == unreachable {
		pending, err = Pending(ctx, spare, list) // the connection broke while it rested
	}
	if err != nil {
		v := inspect(err)
		if v.kind == busy || v.kind == cancelled && ctx.Err() == nil {
			return nil
		}
		return err
	}
	if len(pending) > 0 {
		return fmt.Errorf("%d migrations are pending, starting with %s\n  try: migrate up", len(pending), pending[0])
	}
	if p, ok := gdb.ConnPool.(interface{ spaceless() bool }); ok && p.spaceless() {
		return fault.NoSpace(errors.New("the last write to the database found no space"))
	}
	return nil
}
