package main

import "github.com/spf13/cobra"

func routesCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:     "routes",
		Short:   "List the routes of the project",
		Long:    "List the routes: method, path and guards; --json adds module and summary. It\nbuilds and runs the project, so the list shows what is actually served.",
		Example: "  nexios routes\n  nexios routes --json",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		words := []string{"routes"}
		if wantsJSON(cmd) {
			words = append(words, "--json")
		}
		routes, err := goRunProject(cmd, open.dir, words...)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(routes)
		return err
	})
}
