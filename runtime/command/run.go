package command

import (
	"context"
	"slices"
	"strings"
)

// Run runs the command whose name the first words of io.Args are; the longest
// name wins.
func Run(ctx context.Context, io IO, commands []Command, fallback string) error {
	if len(io.Args) == 0 {
		io.Args = strings.Fields(fallback)
	}
	for words := len(io.Args); words > 0; words-- {
		name := strings.Join(io.Args[:words], " ")
		i := slices.IndexFunc(commands, func(c Command) bool { return c.Name == name })
		if i >= 0 {
			io.Args = io.Args[words:]
			return commands[i].Run(ctx, io)
		}
	}
	return Usage("unknown command " + strings.Join(io.Args, " "))
}
