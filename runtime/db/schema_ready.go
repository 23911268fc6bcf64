package db

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Ready returns nil if the database responds and no migration of list is pending.
// It uses a connection of its own and ignores errors of a busy server or a locked
// table: another replica would have them too. If the last write failed because the
// disk was full, it returns a 507 fault; rows can still be read.
func Ready(ctx context.Context, gdb *gorm.DB, list []Migration) error {
	spare := gdb.Session(&gorm.Session{NewDB: true, Context: ctx})
	if p, ok := gdb.ConnPool.(*serverPool); ok {
		spare.Statement.ConnPool = p.spare
	}
	pending, err := Pending(ctx, spare, list)
	if err != nil && inspect(err).kind == unreachable {
		pending, err = Pending(ctx, spare, list) // the idle connection was broken
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
	if p, ok := gdb.ConnPool.(interface{ diskFull() bool }); ok && p.diskFull() {
		return fault.NoSpace(errors.New("the last write to the database found no space"))
	}
	return nil
}
