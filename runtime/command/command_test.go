package command_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/command"
)

// commands returns commands that print their arguments.
func commands() []command.Command {
	echo := func(name string) func(context.Context, command.IO) error {
		return func(_ context.Context, io command.IO) error {
			fmt.Fprintf(io.Stdout, "%s%q", name, io.Args)
			return nil
		}
	}
	return []command.Command{
		{Name: "serve", Summary: "answer requests", Run: echo("serve")},
		{Name: "migrate up", Summary: "apply pending migrations", Help: "Safe in several replicas.\n\n  blog migrate up", Run: echo("migrate up")},
		{Name: "migrate", Args: "[N]", Summary: "apply N migrations", Run: echo("migrate")},
		{Name: "user create", Args: "--username U --email E [--admin] [--more-of-this-very-long-line V] [--and-more]", Summary: "create a user, with a password from a prompt or one line on standard input", Run: echo("user create")},
		{Name: "user delete", Args: "U", Summary: "delete a user", Run: echo("user delete")},
		{Name: "fail", Summary: "fail", Run: func(context.Context, command.IO) error { return errors.New("failed") }},
	}
}

func run(args ...string) (string, error) {
	var out strings.Builder
	err := command.Run(context.Background(), command.IO{Args: args, Stdout: &out, Stderr: &out}, commands(), "serve")
	return out.String(), err
}

func TestRun(t *testing.T) {
	for line, want := range map[string]string{
		"":                          `serve[]`,
		"serve":                     `serve[]`,
		"serve x --y":               `serve["x" "--y"]`,
		"migrate":                   `migrate[]`,
		"migrate 3":                 `migrate["3"]`,
		"migrate up":                `migrate up[]`,
		"migrate up 3":              `migrate up["3"]`,
		"user create --email a@x":   `user create["--email" "a@x"]`,
		"user create -- --help":     `user create["--" "--help"]`,
		"user create --helpful":     `user create["--helpful"]`,
		"serve migrate up":          `serve["migrate" "up"]`,
		"migrate upwards":           `migrate["upwards"]`,
		"user delete help":          `user delete["help"]`, // not a help flag
		"user delete create --helo": `user delete["create" "--helo"]`,
	} {
		got, err := run(strings.Fields(line)...)
		if err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", line, got, err, want)
		}
	}
}

func TestHelp(t *testing.T) {
	whole := `Commands:
  serve                           answer requests (when no command is given)
  migrate up                      apply pending migrations
  migrate [N]                     apply N migrations
  user create --username U --email E [--admin] [--more-of-this-very-long-line
    V] [--and-more]
                                  create a user, with a password from a prompt
                                  or one line on standard input
  user delete U                   delete a user
  fail                            fail

Run COMMAND --help for details.
`
	up := "Usage:\n  migrate up\n\nApply pending migrations.\n\nSafe in several replicas.\n\n  blog migrate up\n"
	group := `Commands:
  user create --username U --email E [--admin] [--more-of-this-very-long-line
    V] [--and-more]
                                  create a user, with a password from a prompt
                                  or one line on standard input
  user delete U                   delete a user

Run COMMAND --help for details.
`
	for line, want := range map[string]string{
		"help": whole, "--help": whole, "-h": whole,
		"help migrate up": up, "migrate up --help": up, "migrate up 1 -h": up, "--help migrate up": up,
		"user --help": group, "help user": group, "user help": group,
	} {
		got, err := run(strings.Fields(line)...)
		if err != nil || got != want {
			t.Errorf("%q: %v\n%s", line, err, got)
		}
		for _, l := range strings.Split(got, "\n") {
			if len(l) > 80 {
				t.Errorf("%q: a line of %d characters: %s", line, len(l), l)
			}
		}
	}
}

func TestExitCodes(t *testing.T) {
	for line, want := range map[string]struct {
		code  int
		error string
	}{
		"serve":       {command.Done, "<nil>"},
		"fail":        {command.Failed, "failed"},
		"sevre":       {command.Misused, "unknown command \"sevre\"\n  commands: serve, migrate up, migrate, user create, user delete, fail\n  try:      help"},
		"user creat":  {command.Misused, "unknown command \"user creat\"\n  commands: user create, user delete\n  try:      user --help"},
		"user":        {command.Misused, "command \"user\" needs a subcommand\n  commands: user create, user delete\n  try:      user --help"},
		"--verbose":   {command.Misused, "unknown command \"--verbose\"\n  commands: serve, migrate up, migrate, user create, user delete, fail\n  try:      help"},
		"help nobody": {command.Misused, "unknown command \"nobody\"\n  commands: serve, migrate up, migrate, user create, user delete, fail\n  try:      help"},
	} {
		out, err := run(strings.Fields(line)...)
		if code := command.ExitCode(err); code != want.code || fmt.Sprint(err) != want.error {
			t.Errorf("%q: exit code %d, %v (%s)", line, code, err, out)
		}
	}
	if code := command.ExitCode(fmt.Errorf("stopped: %w", context.Canceled)); code != command.Cancelled {
		t.Errorf("cancelled: exit code %d", code)
	}
	if code := command.ExitCode(fmt.Errorf("checked: %w", command.Finding("x"))); code != command.Found {
		t.Errorf("wrapped finding: exit code %d", code)
	}
	if code := command.ExitCode(fmt.Errorf("in a file: %w", command.Usage("x"))); code != command.Misused {
		t.Errorf("wrapped usage: exit code %d", code)
	}
}
