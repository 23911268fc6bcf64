package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
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
	f.add(cmd, projectHelp)
	return cmd
}

func undo(cmd *cobra.Command, f changeFlags) error {
	folder, dir, err := openFound(cmd, f)
	if err != nil {
		return err
	}
	defer folder.Close()
	if f.dryRun { // otherwise openFound has checked it: opening for writing follows the journal
		if err := refuseTracked(cmd, dir); err != nil {
			return err
		}
	}
	last, err := folder.UndoPlan()
	if errors.Is(err, apply.ErrNothing) {
		return &problem.Error{What: "there is nothing to undo", Where: dir, Try: "git log"}
	}
	if err != nil {
		return err
	}
	if restoresConflict(last.Plan) {
		try := "git log --merges   # then git revert -m 1 of its commit"
		if mergedHead(cmd.Context(), dir) != "" {
			try = "git merge --abort"
		}
		return &problem.Error{What: "undo would bring back the conflicts of the merge that nexios merge finished", Where: dir, Try: try}
	}
	clients, err := removedClients(dir, last.Plan)
	if err != nil {
		return err
	}
	s := step{
		dir:  dir,
		plan: plan.New(append(slices.Clone(last.Plan.Ops), clients...)...),
		write: func() error {
			_, err := folder.Undo()
			for _, op := range clients {
				if err == nil {
					err = os.Remove(filepath.Join(dir, filepath.FromSlash(op.Path)))
				}
			}
			return err
		},
		checked:    true,
		onConflict: undoConflictHelp(cmd.Context(), dir, last.Plan),
		done:       "undone: " + last.Title,
	}
	if text, err := fs.ReadFile(folder.Files(), scaffold.SpecFile); err == nil {
		if p, err := spec.Parse(text); err == nil && len(clients) == 0 {
			s.next = staleClients(p, last.Plan)
		}
	}
	if canAsk(cmd) && !f.yes {
		s.ask = fmt.Sprintf("Undo %q?", last.Title)
	}
	return f.carryOut(cmd, s)
}

// restoresConflict reports whether undoing p would write the markers of a merge into nexios.json.
func restoresConflict(p plan.Plan) bool {
	return slices.ContainsFunc(p.Of(plan.Update), func(op plan.Op) bool {
		return op.Path == scaffold.SpecFile && bytes.Contains(op.After, []byte("<<<<<<< ")) && !bytes.Contains(op.Before, []byte("<<<<<<< "))
	})
}

// undoConflictHelp returns how to remove the edits that keep a step from being undone.
// Stashing works if git has the files as the step wrote them.
func undoConflictHelp(ctx context.Context, dir string, p plan.Plan) string {
	at := func(op plan.Op) string { return "HEAD:./" + op.Path }
	var names []string
	for _, op := range p.Of(plan.Conflict) {
		names = append(names, at(op))
	}
	const thenUndo = ", then run nexios undo"
	manual := "remove your edits from these files" + thenUndo
	if len(names) == 0 {
		return manual
	}
	texts, err := blobs(ctx, dir, names)
	if err != nil { // no git, or no repository
		return manual
	}
	stashed, committed := true, false
	for _, op := range p.Of(plan.Conflict) {
		text, exists := texts[at(op)]
		stashed = stashed && exists == (op.Base != nil) && merge.Same(text, op.Base)
		committed = committed || exists && merge.Same(text, op.Before)
	}
	switch {
	case stashed:
		return "stash your edits to these files (git stash)" + thenUndo
	case committed:
		return "revert the commits with your edits to these files (git log)" + thenUndo
	}
	return manual
}

// removedClients returns the deletions of clients that the project no longer has after a
// plan. They were generated later, so the plan does not have their contents.
func removedClients(dir string, p plan.Plan) ([]plan.Op, error) {
	var ops []plan.Op
	for _, op := range p.Of(plan.Update) {
		if op.Path != scaffold.SpecFile {
			continue
		}
		before, err := spec.Parse(op.Before)
		if err != nil {
			return nil, err
		}
		now, err := spec.Parse(op.After)
		if err != nil {
			return nil, err
		}
		for _, c := range before.Clients {
			if now.ClientFile(c.Language) == c.File || slices.ContainsFunc(p.Ops, func(op plan.Op) bool { return op.Path == c.File }) {
				continue
			}
			text, err := readClient(filepath.Join(dir, filepath.FromSlash(c.File)))
			if err != nil || text == nil {
				continue // no longer generated, or deleted
			}
			ops = append(ops, plan.Op{Kind: plan.Delete, Path: c.File, Before: text})
		}
	}
	return ops, nil
}
