package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Run runs the command named by the first words of io.Args, the longest match, with
// the rest as its arguments. Without arguments it runs fallback. "help", "--help" and
// "-h" list the commands or, before or after a command, print its help. Unknown
// commands are a Usage.
func Run(ctx context.Context, io IO, commands []Command, fallback string) error {
	if len(io.Args) == 0 {
		io.Args = strings.Fields(fallback)
	}
	args, wantsHelp := io.Args, false
	if len(args) > 0 && isHelp(args[0]) {
		args, wantsHelp = args[1:], true
	}
	if len(args) == 0 {
		help(io.Stdout, commands, fallback)
		return nil
	}
	c, rest, found := match(commands, args)
	group := subcommands(commands, args[0])
	switch {
	// After "--", a help flag is an argument of the command.
	case found && (wantsHelp || slices.ContainsFunc(before(rest, "--"), isHelpFlag)):
		c.help(io.Stdout)
		return nil
	case found:
		io.Args = rest
		return c.Run(ctx, io)
	case len(group) > 0 && (wantsHelp || len(args) > 1 && isHelp(args[1])):
		help(io.Stdout, group, "")
		return nil
	}
	return unknown(commands, group, args)
}

// WantsHelp reports whether args ask for help on the whole program, rather than on
// one of its commands.
func WantsHelp(args []string) bool { return len(args) == 1 && isHelp(args[0]) }

func isHelp(arg string) bool { return arg == "help" || isHelpFlag(arg) }

func isHelpFlag(arg string) bool { return arg == "--help" || arg == "-h" }

func before(args []string, end string) []string {
	if i := slices.Index(args, end); i >= 0 {
		return args[:i]
	}
	return args
}

// match returns the command with the longest name that args begin with, and the
// remaining arguments.
func match(commands []Command, args []string) (found Command, rest []string, ok bool) {
	longest := 0
	for _, c := range commands {
		name := strings.Fields(c.Name)
		if n := len(name); n > longest && n <= len(args) && slices.Equal(name, args[:n]) {
			found, rest, ok, longest = c, args[n:], true, n
		}
	}
	return found, rest, ok
}

// subcommands returns the commands of several words that begin with word.
func subcommands(commands []Command, word string) []Command {
	var group []Command
	for _, c := range commands {
		if strings.HasPrefix(c.Name, word+" ") {
			group = append(group, c)
		}
	}
	return group
}

func unknown(commands, group []Command, args []string) error {
	what, known := args[0], commands
	if len(group) > 0 {
		what, known = strings.Join(args[:min(len(args), 2)], " "), group
	}
	var names []string
	for _, c := range known {
		names = append(names, c.Name)
	}
	message, try := fmt.Sprintf("unknown command %q", what), "help"
	if len(group) > 0 {
		try = args[0] + " --help"
	}
	if len(group) > 0 && len(args) == 1 {
		message = fmt.Sprintf("command %q needs a subcommand", what)
	}
	lines := Wrap(strings.Join(names, ", "), columns-len("  commands: "))
	return Usage(message + "\n  commands: " + strings.Join(lines, "\n            ") + "\n  try:      " + try)
}

// columns is the width of help texts.
const columns = 80

// help lists commands, one per line; long summaries wrap.
func help(w io.Writer, commands []Command, fallback string) {
	width := 0
	for _, c := range commands {
		width = max(width, len(c.usage()))
	}
	width = min(width, 30)
	fmt.Fprintln(w, "Commands:")
	for _, c := range commands {
		summary := c.Summary
		if c.Name == fallback {
			summary += " (when no command is given)"
		}
		usage, indent := c.usage(), strings.Repeat(" ", width+4)
		if len(usage) > width {
			for i, line := range Wrap(usage, columns-4) {
				fmt.Fprintln(w, "  "+strings.Repeat("  ", min(i, 1))+line)
			}
			usage = ""
		}
		for i, line := range Wrap(summary, columns-len(indent)) {
			if i == 0 && usage != "" {
				fmt.Fprintf(w, "  %-*s  %s\n", width, usage, line)
			} else {
				fmt.Fprintln(w, indent+line)
			}
		}
	}
	fmt.Fprintln(w, "\nRun COMMAND --help for details.")
}

// help prints the help of one command.
func (c Command) help(w io.Writer) {
	fmt.Fprintln(w, "Usage:")
	for i, line := range Wrap(c.usage(), columns-4) {
		fmt.Fprintln(w, "  "+strings.Repeat("  ", min(i, 1))+line)
	}
	if c.Summary != "" {
		first := []rune(c.Summary)
		text := strings.ToUpper(string(first[:1])) + string(first[1:]) + "."
		fmt.Fprintln(w, "\n"+strings.Join(Wrap(text, columns), "\n"))
	}
	if c.Help != "" {
		fmt.Fprintln(w)
		for _, line := range strings.Split(strings.TrimRight(c.Help, "\n"), "\n") {
			if strings.HasPrefix(line, " ") { // preformatted
				fmt.Fprintln(w, line)
				continue
			}
			fmt.Fprintln(w, strings.Join(Wrap(line, columns), "\n"))
		}
	}
}

func (c Command) usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// Wrap breaks text at spaces into lines of at most width characters; longer words are
// not broken.
func Wrap(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
