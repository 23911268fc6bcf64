// Package seed fills a development database with sample rows.
package seed

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

// Module returns the command `db seed`.
func Module(gdb *gorm.DB) web.Module {
	return web.Module{Name: "seed", Commands: []command.Command{{
		Name: "db seed", Summary: "add the sample rows for development",
		Help:        "Existing rows are left alone, so it can be run again.",
		Starts:      true,
		Development: true,
		Run: func(ctx context.Context, io command.IO) error {
			if len(io.Args) > 0 {
				return command.Usage(fmt.Sprintf("unexpected argument %q\n  where: db seed takes no arguments\n  try:   db seed", io.Args[0]))
			}
			return gdb.WithContext(db.System(ctx)).Transaction(fill)
		},
	}}}
}

// fill adds the rows. It must leave existing rows alone, since every `db seed` runs
// it again: look each row up by a field that identifies it.
//
//	news := model.Category{Name: "News", Colour: "red"}
//	if err := tx.Where("name", news.Name).FirstOrCreate(&news).Error; err != nil {
//		return err
//	}
func fill(tx *gorm.DB) error {
	return nil
}
