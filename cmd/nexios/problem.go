package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Exit codes. They are part of the interface.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2   // the words of the command line are wrong
	exitConflict  = 3   // nothing was written because of conflicts
	exitCancelled = 130 // the user said no, or pressed ctrl-c
)

var (
	errCancelled = errors.New("cancelled; nothing was written")
	errConflict  = errors.New("conflicts")
)

func exitCode(err error) int {
	var usage *spec.Error
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errConflict):
		return exitConflict
	case errors.Is(err, errCancelled):
		return exitCancelled
	case errors.As(err, &usage):
		return exitUsage
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
		fmt.Fprint(stderr, problemOf(err).text(colours(stderr)))
	}
	return code
}

// failure is what every command says with --json when it did not do what it
// was asked for.
type failure struct {
	Error *problem `json:"error,omitempty"` // absent when all went well
	Code  int      `json:"code,omitempty"`  // the exit code; absent for 0
}

func newFailure(err error) failure {
	if err == nil {
		return failure{}
	}
	return failure{problemOf(err), exitCode(err)}
}

// problem is an error in its three parts.
type problem struct {
	What  string `json:"what"`
	Label string `json:"-"` // of where: "types", "fields"
	Where string `json:"where,omitempty"`
	Try   string `json:"try,omitempty"`

	kind error // errConflict, or nil
}

func (p *problem) Error() string { return p.What }
func (p *problem) Unwrap() error { return p.kind }

// problemOf takes an error apart. One of another package may have the parts in
// its text, a line each, indented and with a label.
func problemOf(err error) *problem {
	if p := (*problem)(nil); errors.As(err, &p) {
		return p
	}
	if e := (*spec.Error)(nil); errors.As(err, &e) {
		return &problem{What: e.What, Label: e.Label, Where: e.Where, Try: e.Try}
	}
	var p problem
	p.What, _, _ = strings.Cut(err.Error(), "\n")
	for line := range strings.Lines(strings.TrimPrefix(err.Error(), p.What)) {
		label, text, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch text = strings.TrimSpace(text); {
		case label == "try":
			p.Try = text
		case text == "":
			p.Where = strings.TrimSpace(p.Where + " " + label)
		default:
			p.Label, p.Where = label, text
		}
	}
	if p.Try == "" && errors.Is(err, fs.ErrPermission) {
		p.Try = "fix its permissions, or run nexios as its owner"
	}
	return &p
}

// text is the problem for people: what to type next stays one line, to be
// copied.
func (p *problem) text(style plan.Style) string {
	if style == nil {
		style = func(_ plan.Kind, text string) string { return text }
	}
	label := p.Label
	if label == "" {
		label = "where"
	}
	column := len("  try: ")
	if p.Where != "" {
		column = max(column, len("  "+label+": "))
	}
	shown := problem{What: plan.Visible(p.What), Where: plan.Visible(p.Where), Try: plan.Visible(p.Try)}
	p = &shown
	var b strings.Builder
	b.WriteString(style(plan.Conflict, "error:") + " " + strings.Join(wrap(p.What, 80-len("error: ")), "\n       ") + "\n")
	if p.Where != "" {
		var lines []string
		for line := range strings.SplitSeq(p.Where, "\n") {
			lines = append(lines, wrap(line, 80-column)...)
		}
		fmt.Fprintf(&b, "%-*s%s\n", column, "  "+label+":", strings.Join(lines, "\n"+strings.Repeat(" ", column)))
	}
	if p.Try != "" {
		fmt.Fprintf(&b, "%-*s%s\n", column, "  try:", p.Try)
	}
	return b.String()
}

// wrap breaks text at spaces into lines of n columns. A longer word, a path,
// stays whole.
func wrap(text string, n int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		switch last := &lines[len(lines)-1]; {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= n:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// conflict is the error of a plan that cannot be carried out.
func conflict(p plan.Plan, try string) error {
	var paths []string
	for _, op := range p.Of(plan.Conflict) {
		paths = append(paths, op.Path)
	}
	return &problem{What: "nothing was written because of conflicts", Label: "files", Where: strings.Join(paths, " "), Try: try, kind: errConflict}
}

// noArgs refuses words that a command has no use for.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &spec.Error{
		What: fmt.Sprintf("%s takes no %q", cmd.CommandPath(), args[0]),
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
