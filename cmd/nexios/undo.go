package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func undoCommand() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Undo the last command",
		Long: `Undo the last command that changed the project, byte for byte. Files that it did
not touch may have been edited since; if one that it wrote was edited, nothing
is changed and the file is named.

The database is not touched: roll its migration back first.`,
		Example: "  go run . migrate down   # if the migration was applied\n  nexios undo\n  nexios undo --diff --dry-run",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return undo(cmd, f)
		},
	}
	f.addCheck(cmd)
	f.add(cmd, "project folder (default: the current folder or a parent)")
	return cmd
}

func undo(cmd *cobra.Command, f changeFlags) error {
	dir, err := findProject(f.dir)
	if err != nil {
		return err
	}
	if err := refuseTracked(cmd, dir); err != nil {
		return err
	}
	open := apply.Look
	if !f.dryRun {
		open = func(dir string) (*apply.Project, error) { return openFolder(cmd, dir) }
	}
	folder, err := open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	last, err := folder.UndoPlan()
	if errors.Is(err, apply.ErrNothing) {
		return &spec.Error{What: "there is nothing to undo", Where: dir, Try: "git log"}
	}
	if err != nil {
		return err
	}
	s := step{
		dir:  dir,
		plan: last.Plan,
		write: func() error {
			_, err := folder.Undo()
			return err
		},
		checked: true,
		stuck:   "stash your edits of these files (git stash), then run nexios undo",
		done:    "undone: " + last.Title,
	}
	if canAsk(cmd) && !f.yes {
		s.ask = fmt.Sprintf("Undo %q?", last.Title)
	}
	return f.carryOut(cmd, s)
}
