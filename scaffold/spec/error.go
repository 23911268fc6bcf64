package spec

import "strings"

// Error is a word that cannot be accepted, told in three parts: what is wrong,
// what was possible (or where it clashes), and what to type instead. It is the
// user's mistake and never the program's: a command that returns one exits
// with status 2 and has written nothing.
type Error struct {
	What  string // `unknown type "strin" in title:strin`; lower case, no full stop
	Label string // the name of the second line: "types", "fields"; "where" when empty
	Where string // the second line; none when empty
	Try   string // what to type next
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
	out := e.What
	if e.Where != "" {
		out += line(label, e.Where)
	}
	if e.Try != "" {
		out += line("try", e.Try)
	}
	return out
}
