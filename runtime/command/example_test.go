package command_test

import (
	"context"
	"fmt"
	"os"

	"github.com/nexios-go/nexios/runtime/command"
)

// The first words select the command; the rest are its arguments.
func Example() {
	commands := []command.Command{{
		Name: "user create", Args: "NAME", Summary: "create a user",
		Run: func(_ context.Context, io command.IO) error {
			if len(io.Args) != 1 {
				return command.Usage("user create takes a name")
			}
			fmt.Fprintln(io.Stdout, "created", io.Args[0])
			return nil
		},
	}}
	for _, args := range [][]string{{"user", "create", "anna"}, {"user", "create"}} {
		err := command.Run(context.Background(), command.IO{Args: args, Stdout: os.Stdout}, commands, "help")
		fmt.Println("exit code", command.ExitCode(err))
	}
	// Output:
	// created anna
	// exit code 0
	// exit code 2
}
