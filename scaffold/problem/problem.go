// Package problem is the form of every error that the tool shows to users: what is wrong,
// where, and what to type next. Packages return it unchanged or wrap it with %w; the
// command shows its parts, as text or as JSON, and exits with the code of its kind.
package problem

import "strings"

// Kind classifies a problem by who has to act.
type Kind int

const (
	// Usage is invalid input: the user's mistake, never the program's. Nothing was
	// written; the command exits with 2.
	Usage Kind = iota
	// Failure is an error during the work: a file, a port, another program. The command
	// exits with 1.
	Failure
	// Conflict is a change that the developer's own changes do not allow. Nothing was
	// written; the command exits with 3.
	Conflict
)

// Error is a problem in its parts.
type Error struct {
	Kind  Kind   `json:"-"`
	What  string `json:"what"`            // `unknown type "strin" in title:strin`; lower case, no full stop; Err's text if empty
	Label string `json:"-"`               // label of the second line: "types", "fields"; "where" if empty
	Where string `json:"where,omitempty"` // the second line: what was possible, or what it clashes with; none if empty
	Try   string `json:"try,omitempty"`   // what to type next
	Err   error  `json:"-"`               // the cause, for errors.Is; or nil
}

// Failed returns a Failure with the text of err and what to type next; nil for a nil err.
func Failed(err error, try string) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: Failure, Try: try, Err: err}
}

// Error returns the three parts, each on its own line, as a terminal shows them after
// "error: ".
func (e *Error) Error() string {
	label := e.Label
	if label == "" {
		label = "where"
	}
	width := len("try:")
	if e.Where != "" {
		width = max(width, len(label)+1)
	}
	line := func(label, text string) string {
		return "\n  " + label + ":" + strings.Repeat(" ", width-len(label)) + text
	}
	out := e.Message()
	if e.Where != "" {
		out += line(label, e.Where)
	}
	if e.Try != "" {
		out += line("try", e.Try)
	}
	return out
}

// Message returns what is wrong, without the other parts.
func (e *Error) Message() string {
	if e.What == "" && e.Err != nil {
		return e.Err.Error()
	}
	return e.What
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
