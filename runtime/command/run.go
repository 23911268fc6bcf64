package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Run runs the command whose name the first words of io.Args are, the longest
// name that fits, with the rest as its arguments; no words at all mean
// fallback. "help", "--help" and "-h" list the commands, or tell about the one
// they stand before or behind. Words that name no command are a Usage.
func Run(ctx context.Context, io IO, commands []Command, fallback string) error {
	if len(io.Args) == 0 {
		io.Args = strings.Fields(fallback)
	}
	args, asked := io.Args, false
	if len(args) > 0 && isHelp(args[0]) {
		args, asked = args[1:], true
	}
	if len(args) == 0 {
		help(io.Stdout, commands, fallback)
		return nil
	}
	c, rest, found := match(commands, args)
	group := below(commands, args[0])
	switch {
	// Behind "--" a command's arguments are its own.
	case found && (asked || slices.ContainsFunc(upTo(rest, "--"), isHelpFlag)):
		c.help(io.Stdout)
		return nil
	case found:
		io.Args = rest
		return c.Run(ctx, io)
	case len(group) > 0 && (asked || len(args) > 1 && isHelp(args[1])):
		help(io.Stdout, group, "")
		return nil
	}
	return unknown(commands, group, args)
}

// WantsHelp says whether the whole program is asked what it can do, rather
// than one of its commands.
func WantsHelp(args []string) bool { return len(args) == 1 && isHelp(args[0]) }

func isHelp(arg string) bool { return arg == "help" || isHelpFlag(arg) }

func isHelpFlag(arg string) bool { return arg == "--help" || arg == "-h" }

func upTo(args []string, end string) []string {
	if i := slices.Index(args, end); i >= 0 {
		return args[:i]
	}
	return args
}

// match finds the command with the longest name that args begin with, and the
// arguments behind it.
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

// below are the commands of several words that begin with word.
func below(commands []Command, word string) []Command {
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

// columns is how wide help is written.
const columns = 80

// help lists commands with one line each, wrapped below it where it is long.
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

// help tells about one command.
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
			if strings.HasPrefix(line, " ") { // laid out by its author
				fmt.Fprintln(w, line)
				continue
			}
			fmt.Fprintln(w, strings.Join(Wrap(line, columns), "\n"))
		}
	}
}

func (c Command) usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// Wrap cuts text at spaces into lines of at most width characters; a longer
// word stays whole.
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
