// Package problem is the shape of every error that the tool tells people: what is
// wrong, where, and what to type next. Packages return one as it is or wrap it with
// %w; the command that ends with it shows the parts, as text or as JSON, and exits
// with the code of its kind.
package problem

import "strings"

// Kind says whose turn it is after a problem.
type Kind int

const (
	// Usage is a word that cannot be accepted: the user's mistake and never the
	// program's. Nothing was written; the command exits with 2.
	Usage Kind = iota
	// Failure is something that went wrong on the way: a file, a port, another
	// program. The command exits with 1.
	Failure
	// Conflict is what cannot be done beside what its owner did. Nothing was
	// written; the command exits with 3.
	Conflict
)

// Error is a problem in its parts.
type Error struct {
	Kind  Kind   `json:"-"`
	What  string `json:"what"`            // `unknown type "strin" in title:strin`; lower case, no full stop; what Err says when empty
	Label string `json:"-"`               // the name of the second line: "types", "fields"; "where" when empty
	Where string `json:"where,omitempty"` // the second line: what was possible, or where it clashes; none when empty
	Try   string `json:"try,omitempty"`   // what to type next
	Err   error  `json:"-"`               // what caused it, for errors.Is; or nil
}

// Failed is a failure that err is the whole of, and what to type next. A nil err
// gives a nil error.
func Failed(err error, try string) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: Failure, Try: try, Err: err}
}

// Error returns the three parts, each on a line of its own, the way a terminal
// shows them after "error: ".
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
