package command

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
)

// IO is what a command may touch of the outside world.
type IO struct {
	Args   []string            // what follows the command's name
	Getenv func(string) string // the environment
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Columns returns how wide tables are for a person: what COLUMNS says, else 80 on a
// terminal. It returns 0 for a pipe or a file, where each row stays one line.
func (s IO) Columns() int {
	if s.Getenv != nil {
		if n, err := strconv.Atoi(s.Getenv("COLUMNS")); err == nil && n > 0 {
			return n
		}
	}
	if file, ok := s.Stdout.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return columns
		}
	}
	return 0
}

// Command is one thing the program can be asked to do.
type Command struct {
	Name    string // one or two words: "serve", "user create"
	Args    string // how the arguments look in help: "--username U --email E [--admin]"
	Summary string // one line, no full stop
	Help    string // what --help says beyond that, in sentences; lines that begin with a space keep their form
	// Starts is for what works on the application's data: everything that is
	// started before serving is started before it runs.
	Starts bool
	// Development marks a command that refuses to run in production.
	Development bool
	Run         func(ctx context.Context, io IO) error
}

// Usage is the error of a command line that cannot be understood: what, where
// and what to type next, in one text.
type Usage string

// Error implements error.
func (u Usage) Error() string { return string(u) }

// Finding is the error of a check that did its work and found something.
type Finding string

// Error implements error.
func (f Finding) Error() string { return string(f) }

// Exit codes of a program.
const (
	Done      = 0
	Failed    = 1
	Misused   = 2
	Found     = 3
	Cancelled = 130
)

// ExitCode is what the program ends with after err: 0 for nil, 2 for a Usage,
// 3 for a Finding, 130 when it was cancelled, 1 otherwise.
func ExitCode(err error) int {
	var usage Usage
	var finding Finding
	switch {
	case err == nil:
		return Done
	case errors.As(err, &usage):
		return Misused
	case errors.As(err, &finding):
		return Found
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Failed
}
