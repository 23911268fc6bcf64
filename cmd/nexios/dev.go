package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/reload"
)

func devCommand() *cobra.Command {
	var o reload.Options
	var plain, reap bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the project and reload it with every change",
		Long: `Run the project, and with every change build it and swap it without refusing or
cutting a request. A change that does not build leaves the last good version
answering and says so: here, in the browser and in a header of each answer.

What happens is also shown at /dev, to this machine alone.

With --delve each version runs under a debugger, which editors reach at the same
port all the time; after a reload they attach again. The first build takes long.`,
		Example: "  nexios dev\n  nexios dev --port 9000 --open --test\n  nexios dev --json | jq .\n  nexios dev --delve",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reap {
				reload.Reap(cmd.InOrStdin())
				return nil
			}
			if cmd.Flags().Changed("port") && o.Port == 0 {
				o.Port = reload.AnyPort
			}
			o.Stdin, o.Stdout = cmd.InOrStdin(), cmd.OutOrStdout()
			if canAsk(cmd) {
				o.Ask = func(question string) error { return confirm(cmd, question) }
			}
			asJSON, err := cmd.Flags().GetBool("json")
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				o.Show = reload.ShowJSON
			case plain || !isTerminal(o.Stdin) || !isTerminal(o.Stdout) || os.Getenv("TERM") == "dumb":
				o.Show = reload.ShowPlain
			default:
				o.Show = reload.ShowScreen
			}
			// A closed terminal is somebody who has quit, unless nohup says that
			// it is not. A pipe that nobody reads must not end the program before
			// it has cleared up.
			ctx := cmd.Context()
			if !signal.Ignored(syscall.SIGHUP) {
				var stop func()
				ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
				defer stop()
			}
			pipe := make(chan os.Signal, 1)
			signal.Notify(pipe, syscall.SIGPIPE)
			defer signal.Stop(pipe)
			return reload.Run(ctx, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Dir, "dir", "", "the directory of the project's main.go (default: the current folder or one above it)")
	flags.IntVar(&o.Port, "port", 0, "where to listen; 0 lets the system choose (default that of ADDR, else 8000)")
	flags.StringVar(&o.Host, "host", "", "where to listen; 0.0.0.0 lets other machines in (default that of ADDR, else 127.0.0.1)")
	flags.BoolVarP(&o.Yes, "yes", "y", false, "when the port is taken, listen at the next free one without asking")
	flags.BoolVar(&o.Open, "open", false, "open the browser")
	flags.BoolVar(&o.Test, "test", false, "test the packages that changed after each build")
	flags.BoolVar(&o.Delve, "delve", false, "run under dlv; editors attach to 127.0.0.1:2345")
	flags.BoolVar(&plain, "plain", false, "lines of text, also on a terminal")
	flags.BoolVar(&reap, "reap", false, "")
	_ = flags.MarkHidden("reap") // it is defined one line above
	return cmd
}
