// Package app puts the program together. It is the only package that knows all
// the others.
package app

import (
	"context"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/config"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/openapi"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/templates/project/files/internal/migrations"
)

// Run does what io.Args ask for: to serve, when they ask for nothing.
func Run(ctx context.Context, io command.IO) error {
	if command.WantsHelp(io.Args) {
		defer config.Help[Config](io.Stdout)
	}
	cfg, err := config.Load[Config](io.Getenv, ".env")
	if err != nil {
		return err
	}
	log := web.NewLogger(cfg.Config, io.Stderr)
	gdb, err := db.Open(cfg.DatabaseURL, db.Options{Log: log, Debug: cfg.Debug})
	if err != nil {
		return err
	}
	defer db.Close(gdb)

	all := append(modules(cfg, gdb, log), database(cfg.Env, gdb))
	all = append(all, openapi.Module(openapi.Info{Title: "{project}", Version: "1.0.0"}, all))
	server, err := web.New(cfg.Config, log, all...)
	if err != nil {
		return err
	}
	return command.Run(ctx, io, web.Commands(server), "serve")
}

// database is the part of the program that keeps the schema. It migrates at
// the start, except in production, where `migrate up` is a step of its own.
func database(env string, gdb *gorm.DB) web.Module {
	all := migrations.All()
	m := web.Module{
		Name:     "database",
		Ready:    func(ctx context.Context) error { return db.Ready(ctx, gdb, all) },
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
