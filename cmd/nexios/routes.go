package main

import "github.com/spf13/cobra"

func routesCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:     "routes",
		Short:   "List the routes of the project",
		Long:    "List the routes: method, path, guards and summary. It builds and\nruns the project, so the list shows what is actually served.",
		Example: "  nexios routes\n  nexios routes --json",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		words := []string{"routes"}
		if wantsJSON(cmd) {
			words = append(words, "--json")
		}
		run := goRunProject(cmd, open.dir, words...)
		run.Stdout = cmd.OutOrStdout()
		return started(cmd, open.dir, run.Run())
	})
}
