package web

import (
	"context"
	"log/slog"
	"slices"
)

// Work is a unit of background work, such as one run of a job.
type Work struct {
	Name  string      // kind of work, from a small set: "job mail.welcome"
	About []slog.Attr // attributes that identify this unit
	Do    func(ctx context.Context) error
}

type aroundKey struct{}

// withAround returns a context in which Background applies the Around functions of
// the modules.
func (a *App) withAround(ctx context.Context) context.Context {
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

// Background runs work, wrapped in the Around functions of the application's modules.
// ctx comes from Module.Run, or from a command that sets Starts.
func Background(ctx context.Context, work Work) error {
	all, _ := ctx.Value(aroundKey{}).([]func(context.Context, Work) error)
	do := work.Do
	for _, wrap := range slices.Backward(all) {
		inner := do
		do = func(ctx context.Context) error {
			return wrap(ctx, Work{work.Name, work.About, inner})
		}
	}
	return do(ctx)
}
