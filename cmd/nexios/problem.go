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
	exitUsage     = 2   // the words of the command line are wrong
	exitConflict  = 3   // nothing was written because of conflicts
	exitCancelled = 130 // the user said no, or pressed ctrl-c
)

var errCancelled = errors.New("cancelled; nothing was written")

func exitCode(err error) int {
	told := (*problem.Error)(nil)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errCancelled):
		return exitCancelled
	case !errors.As(err, &told):
		return exitFailed
	}
	switch told.Kind {
	case problem.Usage:
		return exitUsage
	case problem.Conflict:
		return exitConflict
	}
	return exitFailed
}

// reported is an error that the JSON on standard output holds already.
type reported struct{ error }

func (r reported) Unwrap() error { return r.error }

// report tells the error that a command ended with, and returns the exit code.
func report(err error, asJSON bool, stdout, stderr io.Writer) int {
	if errors.Is(err, context.Canceled) {
		err = errCancelled
	}
	code := exitCode(err)
	switch {
	case code == exitDone, errors.As(err, new(reported)):
	case asJSON:
		// Nothing is left to be done when even this cannot be written.
		_ = json.NewEncoder(stdout).Encode(newFailure(err))
	case code == exitCancelled:
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprint(stderr, text(parts(err), colours(stderr)))
	}
	return code
}

// failure is what every command says with --json when it did not do what it
// was asked for.
type failure struct {
	Error *problem.Error `json:"error,omitempty"` // absent when all went well
	Code  int            `json:"code,omitempty"`  // the exit code; absent for 0
}

func newFailure(err error) failure {
	if err == nil {
		return failure{}
	}
	return failure{parts(err), exitCode(err)}
}

// encode writes an answer as JSON. It tells of err, if there is one.
func encode(w io.Writer, answer any, err error) error {
	if broken := json.NewEncoder(w).Encode(answer); broken != nil {
		return broken
	}
	if err != nil {
		return reported{err}
	}
	return nil
}

// parts takes an error apart: by its problem, or as far as its text can be.
func parts(err error) *problem.Error {
	var p problem.Error
	if told := (*problem.Error)(nil); errors.As(err, &told) {
		p = *told
		p.What = told.Message()
	} else {
		p.What, p.Where, _ = strings.Cut(err.Error(), "\n")
		p.Where = strings.Join(strings.Fields(p.Where), " ")
	}
	if p.Try == "" && errors.Is(err, fs.ErrPermission) {
		p.Try = "fix its permissions, or run nexios as its owner"
	}
	return &p
}

// text is a problem for people: what to type next stays one line, to be copied.
func text(p *problem.Error, style plan.Style) string {
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

// conflict is the error of a plan that cannot be carried out.
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

// noArgs refuses words that a command has no use for.
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
