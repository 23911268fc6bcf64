// Package command is the small command line of a generated program: a list of
// commands, one chosen by the first words of the arguments.
package command

import (
	"context"
	"io"
)

// IO is what a command may touch of the outside world.
type IO struct {
	Args   []string            // what follows the command's name
	Getenv func(string) string // the environment
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Command is one thing the program can be asked to do.
type Command struct {
	Name    string // one or two words: "serve", "user create"
	Args    string // how the arguments look in help: "--username U --email E [--admin]"
	Summary string // one line, no full stop
	Run     func(ctx context.Context, io IO) error
}
