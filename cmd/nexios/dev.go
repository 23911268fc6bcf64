package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/reload"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
	"github.com/nexios-go/nexios/scaffold/problem"
)

func devCommand() *cobra.Command {
	var o reload.Options
	var plain, reap bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the project and reload it on every change",
		Long: `Run the project; on every change, rebuild and swap it without dropping a
request. If a change does not build, the last good version keeps serving and
the error is shown here, in the browser and in a response header.

The same events are shown at /dev (localhost only).

Where the file system does not report changes, as on network mounts and in some
containers, --poll checks the files instead: every second, or at the interval
given.

With --delve each version runs under a debugger on one fixed port; attach your
editor again after a reload. The first build is slow.`,
		Example: "  nexios dev\n  nexios dev --port 9000 --open --test\n  nexios dev --json | jq .\n  nexios dev --poll=2s\n  nexios dev --delve",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reap {
				process.Reap(cmd.InOrStdin())
				return nil
			}
			if cmd.Flags().Changed("poll") && o.Poll < reload.LeastPoll {
				return &problem.Error{What: "--poll takes at least " + reload.LeastPoll.String(), Where: "--poll " + o.Poll.String(), Try: "nexios dev --poll=1s"}
			}
			if cmd.Flags().Changed("port") && o.Port == 0 {
				o.Port = reload.AnyPort
			}
			o.Stdin, o.Stdout, o.Serving = cmd.InOrStdin(), cmd.OutOrStdout(), followAPI()
			if canAsk(cmd) {
				o.Ask = func(question string) error { return confirm(cmd, question) }
			}
			switch {
			case wantsJSON(cmd):
				o.Show = reload.ShowJSON
			case plain || !isTerminal(o.Stdin) || !isTerminal(o.Stdout) || os.Getenv("TERM") == "dumb":
				o.Show = reload.ShowPlain
			default:
				o.Show = reload.ShowScreen
			}
			// SIGHUP (a closed terminal) quits, unless nohup has it ignored. SIGPIPE is
			// caught so that a closed pipe does not kill the program before it has
			// cleaned up.
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
	flags.StringVar(&o.Dir, "dir", "", "folder of main.go (default: the current folder or a parent)")
	flags.IntVar(&o.Port, "port", 0, "port to listen on; 0 picks a free one (default: that of ADDR, or 8000)")
	flags.StringVar(&o.Host, "host", "", "host to listen on; 0.0.0.0 allows other machines (default: that of ADDR, or 127.0.0.1)")
	flags.BoolVarP(&o.Yes, "yes", "y", false, "if the port is taken, use the next free one without asking")
	flags.BoolVar(&o.Open, "open", false, "open a browser")
	flags.BoolVar(&o.Test, "test", false, "test changed packages after each build")
	flags.DurationVar(&o.Poll, "poll", 0, "check the files this often instead of waiting for file system events; without a value: 1s")
	flags.Lookup("poll").NoOptDefVal = reload.UsualPoll.String()
	flags.BoolVar(&o.Delve, "delve", false, "run under Delve; attach to 127.0.0.1:2345")
	flags.BoolVar(&plain, "plain", false, "plain lines instead of the full-screen view")
	flags.BoolVar(&reap, "reap", false, "")
	_ = flags.MarkHidden("reap") // it is defined one line above
	return cmd
}
