package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/plan"
)

// changeFlags are the flags of every command that writes to a project.
type changeFlags struct {
	dir    string
	dryRun bool
	diff   bool
	yes    bool
	// markers writes conflicts into the files as markers.
	markers bool
	// noCheck skips the compile check.
	noCheck bool
}

// changer completes a command that changes the project: it adds the flags and runs do
// with the open project and the timestamp of its next migration.
func changer(cmd *cobra.Command, do func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error) *cobra.Command {
	var f changeFlags
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return inProject(cmd, f, func(open opened, at string) error { return do(cmd, f, open, at, args) })
	}
	f.add(cmd, projectHelp)
	f.addMarkers(cmd)
	return cmd
}

// inProject opens the project for writing while do runs.
func inProject(cmd *cobra.Command, f changeFlags, do func(open opened, at string) error) error {
	open, err := openToChange(cmd, f)
	if err != nil {
		return err
	}
	defer open.Close()
	at, err := migrationTime(open.spec)
	if err != nil {
		return err
	}
	return do(open, at)
}

func (f *changeFlags) add(cmd *cobra.Command, dir string) {
	cmd.Flags().StringVar(&f.dir, "dir", "", dir)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would change and write nothing")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "show changes as a diff")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask for confirmation")
}

func (f *changeFlags) addMarkers(cmd *cobra.Command) {
	f.addCheck(cmd)
	cmd.Flags().BoolVar(&f.markers, "markers", false, "write conflicts as <<<<<<< markers instead of stopping")
}

func (f *changeFlags) addCheck(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.noCheck, "no-check", false, "do not check that the project still compiles (or NEXIOS_CHECK=off)")
}

// result is the --json output of a command that writes; see jsonTopic.
type result struct {
	Applied bool      `json:"applied"`
	Dir     string    `json:"dir"`
	Plan    plan.Plan `json:"plan"`
	About   string    `json:"about,omitempty"`
	Next    []string  `json:"next,omitempty"`
	failure
}

// step is a plan to be written to a project's directory.
type step struct {
	dir   string
	plan  plan.Plan
	ask   string       // question to ask before writing; "" asks nothing
	write func() error // writes the plan
	// checked makes carryOut reject a plan after which the project does not compile.
	checked    bool
	onConflict string   // what to do about conflicts
	about      string   // message about the changes; may be empty
	done       string   // message after writing; may be empty
	next       []string // commands to run afterwards
}

// checks reports whether the compile check is on.
func (f changeFlags) checks() bool { return !f.noCheck && os.Getenv("NEXIOS_CHECK") != "off" }

// carryOut shows the step and writes it, unless it is a dry run, has conflicts or no
// changes, or the user declines.
func (f changeFlags) carryOut(cmd *cobra.Command, s step) error {
	out := cmd.OutOrStdout()
	asJSON := wantsJSON(cmd)
	if !asJSON {
		if err := f.show(out, s.plan); err != nil {
			return err
		}
	}
	if s.about != "" && len(s.plan.Changes()) == 0 {
		s.about = ""
	}
	if !asJSON && s.about != "" {
		fmt.Fprintln(out, "\n"+plan.Visible(s.about))
	}
	var err error
	write := !f.dryRun && len(s.plan.Changes()) > 0
	if s.plan.HasConflicts() {
		write, err = false, conflict(s.plan, s.onConflict)
	}
	if write && s.checked && !f.markers && f.checks() {
		if err = compiles(cmd, s.dir, s.plan); err != nil {
			write = false
		}
	}
	if write && s.ask != "" {
		fmt.Fprintln(out)
		if err := confirm(cmd, plan.Visible(s.ask)); err != nil {
			return err
		}
	}
	if write {
		if err := s.write(); err != nil {
			return err
		}
	} else {
		s.next = nil
	}
	if asJSON {
		return encode(out, result{Applied: write, Dir: s.dir, Plan: s.plan, About: s.about, Next: s.next, failure: newFailure(err)}, err)
	}
	switch {
	case err != nil:
		fmt.Fprintln(out)
	case f.dryRun:
		fmt.Fprintln(out, "\nnothing was written (--dry-run)")
	case !write:
		fmt.Fprintln(out, "\nnothing to do: already up to date")
	case s.done != "":
		fmt.Fprintln(out, "\n"+plan.Visible(s.done))
	}
	if len(s.next) > 0 {
		fmt.Fprintln(out, "\nnext:\n  "+plan.Visible(strings.Join(s.next, "\n  ")))
	}
	return err
}

// show prints the plan as the flags require. Internal files of nexios are only counted.
func (f changeFlags) show(w io.Writer, p plan.Plan) error {
	style := colours(w)
	var theirs []plan.Op
	own := map[plan.Kind]int{}
	for _, op := range p.Ops {
		if strings.HasPrefix(op.Path, ".nexios/") && !strings.HasPrefix(op.Path, scaffold.TemplatesDir) && op.Kind != plan.Conflict {
			own[op.Kind]++
		} else {
			theirs = append(theirs, op)
		}
	}
	if f.diff {
		return plan.New(theirs...).Diff(w, style)
	}
	if err := plan.New(theirs...).List(w, style); err != nil {
		return err
	}
	for _, kind := range []plan.Kind{plan.Create, plan.Update, plan.Delete} {
		if n := own[kind]; n > 0 {
			fmt.Fprintf(w, "  %s  .nexios/ (internal files: %d)\n", style.Or(kind, fmt.Sprintf("%-9s", kind)), n)
		}
	}
	return nil
}
