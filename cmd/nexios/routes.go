package main

import (
	"os/exec"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/spf13/cobra"
)

func routesCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "routes",
		Short:   "List the routes of the project",
		Long:    "List the routes: method, path, guards and summary. It builds and\nruns the project, so the list shows what is actually served.",
		Example: "  nexios routes\n  nexios routes --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			open, err := lookAt(cmd, dir)
			if err != nil {
				return err
			}
			defer open.Close()
			args := []string{"run", "-buildvcs=false", ".", "routes"}
			if wantsJSON(cmd) {
				args = append(args, "--json")
			}
			run := exec.CommandContext(cmd.Context(), "go", args...)
			run.Dir, run.Stdout, run.Stderr = open.dir, cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := run.Run(); err != nil {
				if cmd.Context().Err() != nil {
					return errCancelled
				}
				return &problem.Error{Kind: problem.Failure, What: "the project does not build or start; see the output above", Where: open.dir, Try: "go build ./..."}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "project folder (default: the current folder or a parent)")
	return cmd
}
