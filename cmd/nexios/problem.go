package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// Exit codes. They are part of the interface.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2   // the command line is invalid
	exitConflict  = 3   // nothing was written because of conflicts
	exitCancelled = 130 // the user declined or pressed ctrl-c
)

var errCancelled = errors.New("cancelled; nothing was written")

func exitCode(err error) int {
	cause := (*problem.Error)(nil)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errCancelled):
		return exitCancelled
	case !errors.As(err, &cause):
		return exitFailed
	}
	switch cause.Kind {
	case problem.Usage:
		return exitUsage
	case problem.Conflict:
		return exitConflict
	}
	return exitFailed
}

// reported marks an error that has been printed already, as JSON or by the project's
// program.
type reported struct{ error }

func (r reported) Unwrap() error { return r.error }

// report prints the error that a command returned, and returns the exit code.
func report(err error, asJSON bool, stdout, stderr io.Writer) int {
	if errors.Is(err, context.Canceled) {
		err = errCancelled
	}
	code := exitCode(err)
	switch {
	case code == exitDone, errors.As(err, new(reported)):
	case asJSON:
		// If this fails too, there is nothing left to do.
		_ = json.NewEncoder(stdout).Encode(newFailure(err))
	case code == exitCancelled:
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprint(stderr, formatProblem(parts(err), colours(stderr)))
	}
	return code
}

// failure is the part of every --json output that reports an error.
type failure struct {
	Error *problem.Error `json:"error,omitempty"` // absent on success
	Code  int            `json:"code,omitempty"`  // the exit code; absent for 0
}

func newFailure(err error) failure {
	if err == nil {
		return failure{}
	}
	return failure{parts(err), exitCode(err)}
}

// encode writes a response as JSON. If err is not nil, the response already contains
// it, and encode returns it as reported.
func encode(w io.Writer, response any, err error) error {
	if encodeErr := json.NewEncoder(w).Encode(response); encodeErr != nil {
		return encodeErr
	}
	if err != nil {
		return reported{err}
	}
	return nil
}

// parts converts an error to a problem.Error, splitting the text of other errors as far
// as possible.
func parts(err error) *problem.Error {
	var p problem.Error
	if cause := (*problem.Error)(nil); errors.As(err, &cause) {
		p = *cause
		p.What = cause.Message()
	} else {
		p.What, p.Where, _ = strings.Cut(err.Error(), "\n")
		p.Where = strings.Join(strings.Fields(p.Where), " ")
	}
	if p.Try == "" && errors.Is(err, fs.ErrPermission) {
		p.Try = "fix its permissions, or run nexios as its owner"
	}
	return &p
}

// formatProblem formats a problem for people, at 80 columns. The suggested command is not
// wrapped, so that it can be copied.
func formatProblem(p *problem.Error, style plan.Style) string {
	label := cmp.Or(p.Label, "where")
	column := len("  try: ")
	if p.Where != "" {
		column = max(column, len("  "+label+": "))
	}
	shown := problem.Error{What: plan.Visible(p.What), Where: plan.Visible(p.Where), Try: plan.Visible(p.Try)}
	p = &shown
	var b strings.Builder
	b.WriteString(style.Or(plan.Conflict, "error:") + " " + strings.Join(command.Wrap(p.What, 80-len("error: ")), "\n       ") + "\n")
	if p.Where != "" {
		var lines []string
		for line := range strings.SplitSeq(p.Where, "\n") {
			lines = append(lines, command.Wrap(line, 80-column)...)
		}
		fmt.Fprintf(&b, "%-*s%s\n", column, "  "+label+":", strings.Join(lines, "\n"+strings.Repeat(" ", column)))
	}
	if p.Try != "" {
		fmt.Fprintf(&b, "%-*s%s\n", column, "  try:", p.Try)
	}
	return b.String()
}

// conflict returns the error of a plan with conflicts.
func conflict(p plan.Plan, try string) error {
	var paths []string
	for _, op := range p.Of(plan.Conflict) {
		paths = append(paths, op.Path)
	}
	return &problem.Error{
		Kind: problem.Conflict, What: "nothing was written because of conflicts",
		Label: "files", Where: strings.Join(paths, " "), Try: try,
	}
}

// noArgs rejects unexpected arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &problem.Error{
		What: fmt.Sprintf("unexpected argument %q for %s", args[0], cmd.CommandPath()),
		Try:  cmd.CommandPath() + " --help",
	}
	if cmd.HasSubCommands() {
		e.What = fmt.Sprintf("unknown command %q", args[0])
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				e.Where += sub.Name() + " "
			}
		}
		e.Label, e.Where = "commands", strings.TrimSpace(e.Where)
		cmd.SuggestionsMinimumDistance = 2 // letters
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			e.Try = cmd.CommandPath() + " " + near[0]
		}
	}
	return e
}
