package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/plan"
)

// changeFlags are the flags of every command that writes to a project.
type changeFlags struct {
	dir    string
	dryRun bool
	diff   bool
	yes    bool
	json   bool
}

func (f *changeFlags) add(cmd *cobra.Command, dir string) {
	cmd.Flags().StringVar(&f.dir, "dir", "", dir)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would happen and write nothing")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "show the changes as a diff")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
}

// result is what a command that writes says with --json.
type result struct {
	Applied bool      `json:"applied"`        // false with --dry-run, with conflicts, and when nothing had to change
	Dir     string    `json:"dir"`            // the project's folder
	Plan    plan.Plan `json:"plan"`           // what was, or would be, done
	Next    []string  `json:"next,omitempty"` // commands to run now
}

// show writes the plan the way the flags ask for. The tool's own files are
// only counted.
func (f changeFlags) show(w io.Writer, p plan.Plan) error {
	if f.json {
		return nil
	}
	var theirs, own []plan.Op
	for _, op := range p.Ops {
		if strings.HasPrefix(op.Path, ".nexios/") {
			own = append(own, op)
		} else {
			theirs = append(theirs, op)
		}
	}
	p = plan.New(theirs...)
	if f.diff {
		return p.Diff(w, nil)
	}
	if err := p.List(w, nil); err != nil {
		return err
	}
	if n := len(plan.New(own...).Changes()); n > 0 {
		fmt.Fprintf(w, "  create     .nexios/ (%d files of the tool's own)\n", n)
	}
	return nil
}

// carryOut shows the plan and applies it to the project in dir, unless it is a
// dry run or has conflicts.
func carryOut(cmd *cobra.Command, f changeFlags, dir, title string, p plan.Plan, next []string) error {
	f.json, _ = cmd.Flags().GetBool("json")
	out := cmd.OutOrStdout()
	if err := f.show(out, p); err != nil {
		return err
	}
	write := !f.dryRun && !p.HasConflicts() && len(p.Changes()) > 0
	if write {
		if _, err := apply.Apply(dir, p, apply.Options{Title: title, Time: time.Now()}); err != nil {
			return err
		}
	}
	if f.json {
		r := result{Applied: write, Dir: dir, Plan: p}
		if write {
			r.Next = next
		}
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	} else {
		f.closing(out, p, write, next)
	}
	if p.HasConflicts() {
		return errConflict
	}
	return nil
}

// closing says in a line or two where the user stands now.
func (f changeFlags) closing(w io.Writer, p plan.Plan, written bool, next []string) {
	switch {
	case p.HasConflicts():
	case f.dryRun:
		fmt.Fprintln(w, "\nnothing was written (--dry-run)")
	case !written:
		fmt.Fprintln(w, "\nnothing to do: everything is there already")
	case len(next) > 0:
		fmt.Fprintln(w, "\nnext:")
		for _, line := range next {
			fmt.Fprintln(w, "  "+line)
		}
	}
}
