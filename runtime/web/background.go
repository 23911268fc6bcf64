package web

import (
	"context"
	"log/slog"
	"slices"
)

// Work is a piece of background work, such as one run of a job.
type Work struct {
	Name  string      // what it is, one of few: "job mail.welcome"
	About []slog.Attr // which one it is
	Do    func(ctx context.Context) error
}

type aroundKey struct{}

// surround returns a context in which Background calls what the modules have
// to put around work.
func (a *App) surround(ctx context.Context) context.Context {
	var all []func(context.Context, Work) error
	for _, m := range a.Modules {
		if m.Around != nil {
			all = append(all, m.Around)
		}
	}
	if len(all) == 0 {
		return ctx
	}
	return context.WithValue(ctx, aroundKey{}, all)
}

// Background does the work, with what the application's modules put around it.
// ctx comes from Module.Run, or from a command that Starts.
func Background(ctx context.Context, work Work) error {
	all, _ := ctx.Value(aroundKey{}).([]func(context.Context, Work) error)
	do := work.Do
	for _, around := range slices.Backward(all) {
		inner := do
		do = func(ctx context.Context) error {
			return around(ctx, Work{work.Name, work.About, inner})
		}
	}
	return do(ctx)
}
