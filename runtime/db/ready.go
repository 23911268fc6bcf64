package db

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Ready is nil when the database answers and no migration of list is pending.
func Ready(ctx context.Context, gdb *gorm.DB, list []Migration) error {
	if err := Ping(ctx, gdb); err != nil {
		return err
	}
	pending, err := Pending(ctx, gdb, list)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		return fmt.Errorf("%d migrations are pending, starting with %s\n  try: migrate up", len(pending), pending[0])
	}
	return nil
}
