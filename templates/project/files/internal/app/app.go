// Package app wires the program together. It is the only package that imports
// all the others.
package app

import (
	"context"
	"fmt"
	"io"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/config"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/openapi"
	"github.com/nexios-go/nexios/runtime/replica"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/project/files/internal/migrations"
)

// Run runs the command in std.Args; without one it serves.
func Run(ctx context.Context, std command.IO) error {
	if command.WantsHelp(std.Args) {
		defer listSettings(std.Stdout)
	}
	cfg, err := config.Load[Config](std.Getenv, ".env")
	if err != nil {
		return err
	}
	log := web.NewLogger(cfg.Config, std.Stderr)
	gdb, err := db.Open(cfg.DatabaseURL, db.Options{Log: log, Debug: cfg.Debug, Config: cfg.Database})
	if err != nil {
		return err
	}
	defer db.Close(gdb)

	all := append(modules(cfg, gdb, log), database(cfg.Env, gdb))
	about := openapi.Info{
		Title: "{project}", Version: "1.0.0", Description: "The API of {project}, below " + api + ".",
		Contact: openapi.Contact{Name: "{project}"}, License: openapi.License{Name: "Proprietary"},
	}
	all = append(all, openapi.Module(about, all, openapi.Password(cfg.DocsPassword)...))
	server, err := web.New(cfg.Config, log, all...)
	if err != nil {
		return err
	}
	return command.Run(ctx, std, web.Commands(server), "serve")
}

// listSettings prints every setting.
func listSettings(w io.Writer) {
	fmt.Fprintln(w, "\nSettings, from the environment or, in development, from .env:")
	config.Help[Config](w)
}

// database returns the module that manages the schema. It migrates on start,
// except in production, where `migrate up` is a separate step.
func database(env string, gdb *gorm.DB) web.Module {
	all := migrations.All()
	m := web.Module{
		Name:     "database",
		Ready:    func(ctx context.Context) error { return db.Ready(ctx, gdb, all) },
		Refused:  db.Refused(gdb),
		Use:      replica.Middleware(gdb),
		Commands: db.Commands(gdb, all),
	}
	if env != web.Production {
		m.Start = func(ctx context.Context) error {
			_, err := db.Migrate(ctx, gdb, all)
			return err
		}
	}
	return m
}
