package command

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
)

// IO is the environment of a command.
type IO struct {
	Args   []string            // arguments after the command's name
	Getenv func(string) string // looks up an environment variable
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Columns returns the width of tables for people: COLUMNS if set, otherwise 80 on a
// terminal. It returns 0 for a pipe or a file, so that each row stays on one line.
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

// Command is a command of the program.
type Command struct {
	Name    string // one or two words: "serve", "user create"
	Args    string // the arguments as shown in help: "--username U --email E [--admin]"
	Summary string // one line, no full stop
	Help    string // further help text in sentences; lines that begin with a space are printed unchanged
	// Starts is set for commands that work on the application's data: Module.Start of
	// every module runs first, as before serving.
	Starts bool
	// Development marks a command that fails in production.
	Development bool
	Run         func(ctx context.Context, io IO) error
}

// Usage is the error of an invalid command line: one text that says what, where and
// what to type next.
type Usage string

// Error implements error.
func (u Usage) Error() string { return string(u) }

// Finding is the error of a check that ran to completion and found a problem.
type Finding string

// Error implements error.
func (f Finding) Error() string { return string(f) }

// Exit codes of the program.
const (
	Done      = 0
	Failed    = 1
	Misused   = 2
	Found     = 3
	Cancelled = 130
)

// ExitCode returns the exit code for err: 0 for nil, 2 for a Usage, 3 for a Finding,
// 130 for context.Canceled, 1 otherwise.
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
