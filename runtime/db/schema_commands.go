package db

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
)

// Commands returns the commands `migrate up`, `migrate down [N]`, `migrate status`,
// `migrate redo`, `db check`, `db reset` and `backup FILE` for gdb.
func Commands(gdb *gorm.DB, list []Migration) []command.Command {
	return []command.Command{
		{
			Name: "migrate up", Summary: "apply pending migrations",
			Help: "Safe to run in several replicas at once: one migrates, the others wait.",
			Run: noArgs(func(ctx context.Context, io command.IO) error {
				return up(ctx, io, gdb, list)
			}),
		},
		{
			Name: "migrate down", Args: "[N]", Summary: "roll back the last migration, or the last N",
			Run: func(ctx context.Context, io command.IO) error {
				n := 1
				if len(io.Args) > 0 {
					var err error
					if n, err = strconv.Atoi(io.Args[0]); err != nil || n < 1 || len(io.Args) > 1 {
						return command.Usage(fmt.Sprintf("%q is not a number of migrations\n  where: migrate down\n  try:   migrate down 1", io.Args[0]))
					}
				}
				done, err := Rollback(ctx, gdb, list, n)
				report(io.Stdout, "rolled back", done, err)
				return err
			},
		},
		{
			Name: "migrate status", Summary: "show which migrations are applied",
			Run: noArgs(func(ctx context.Context, io command.IO) error {
				states, err := Status(ctx, gdb, list)
				if err != nil {
					return err
				}
				return table(io.Stdout, states)
			}),
		},
		{
			Name: "migrate redo", Summary: "roll back the last migration and apply it again",
			Run: noArgs(func(ctx context.Context, io command.IO) error {
				done, err := Rollback(ctx, gdb, list, 1)
				report(io.Stdout, "rolled back", done, err)
				if err != nil {
					return err
				}
				return up(ctx, io, gdb, list)
			}),
		},
		checkCommand(gdb, list),
		resetCommand(gdb, list),
		backupCommand(gdb),
	}
}

func up(ctx context.Context, io command.IO, gdb *gorm.DB, list []Migration) error {
	done, err := Migrate(ctx, gdb, list)
	report(io.Stdout, "applied", done, err)
	if err != nil {
		return err
	}
	states, err := Status(ctx, gdb, list)
	for _, s := range states {
		if s.Unknown {
			fmt.Fprintf(io.Stderr, "warning: the database has migration %s, which this program does not know\n", s.ID)
		}
	}
	return err
}

// noArgs rejects arguments.
func noArgs(run func(context.Context, command.IO) error) func(context.Context, command.IO) error {
	return func(ctx context.Context, io command.IO) error {
		if len(io.Args) > 0 {
			return command.Usage(fmt.Sprintf("unexpected argument %q\n  where: this command takes none\n  try:   leave it out", io.Args[0]))
		}
		return run(ctx, io)
	}
}

func report(w io.Writer, what string, ids []string, err error) {
	for _, id := range ids {
		fmt.Fprintln(w, what, id)
	}
	if len(ids) == 0 && err == nil {
		fmt.Fprintln(w, "nothing to do")
	}
}

func table(w io.Writer, states []State) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STATE\tAPPLIED (UTC)\tMIGRATION")
	for _, s := range states {
		state, at := "pending", "-"
		if s.Applied != nil {
			state, at = "applied", s.Applied.Format(time.DateTime)
		}
		if s.Unknown {
			state = "unknown"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", state, at, s.ID)
	}
	return t.Flush()
}
