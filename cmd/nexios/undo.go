package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func undoCommand() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Take the last command back",
		Long: `Take the last command that wrote to the project back, byte for byte. Files that
it did not touch may have been edited since; when one that it wrote was, nothing
happens and the file is named.

The database is not touched: take its migration down first.`,
		Example: "  go run . migrate down   # if the migration was applied\n  nexios undo\n  nexios undo --diff --dry-run",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.json, _ = cmd.Flags().GetBool("json")
			return undo(cmd, f)
		},
	}
	f.add(cmd, "the project (default: the current folder or one above it)")
	return cmd
}

func undo(cmd *cobra.Command, f changeFlags) error {
	dir, err := findProject(f.dir)
	if err != nil {
		return err
	}
	if err := recoverProject(cmd, dir); err != nil {
		return err
	}
	step, err := apply.UndoPlan(dir)
	if errors.Is(err, apply.ErrNothing) {
		return &spec.Error{What: "there is nothing to undo", Try: "git log, for what was before the first step"}
	}
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if err := f.show(out, step.Plan); err != nil {
		return err
	}
	write := !f.dryRun && !step.Plan.HasConflicts()
	if write {
		if _, err := apply.Undo(dir, apply.Options{Time: time.Now()}); err != nil {
			return err
		}
	}
	switch {
	case f.json:
		if err := json.NewEncoder(out).Encode(result{Applied: write, Dir: dir, Plan: step.Plan}); err != nil {
			return err
		}
	case write:
		fmt.Fprintf(out, "\nundone: %s\n", step.Title)
	case f.dryRun:
		fmt.Fprintln(out, "\nnothing was written (--dry-run)")
	}
	if step.Plan.HasConflicts() {
		return errConflict
	}
	return nil
}
