package db

import (
	"context"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
)

// Commands are `migrate up|down|status|redo` on gdb.
func Commands(gdb *gorm.DB, list []Migration) []command.Command {
	return []command.Command{{
		Name: "migrate up", Summary: "apply pending migrations",
		Run: func(ctx context.Context, io command.IO) error {
			_, err := Migrate(ctx, gdb, list)
			return err
		},
	}}
}
