package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
)

func templatesCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "templates",
		Short: "Use templates of your own for a project",
		Long: `Use templates of your own for a project: what is in .nexios/templates is used in
the place of the template of that name, by every command.`,
		Example: "  nexios templates list\n  nexios templates eject resource",
	}, templatesListCommand(), templatesEjectCommand(), templatesDiffCommand())
}

func templatesListCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:     "list",
		Short:   "List the templates, and which the project has of its own",
		Example: "  nexios templates list",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		list, err := open.catalog.Templates(open.Files())
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		if wantsJSON(cmd) {
			return json.NewEncoder(out).Encode(struct {
				Dir       string              `json:"dir"`
				Templates []scaffold.Template `json:"templates"`
			}{open.dir, list})
		}
		for _, t := range list {
			mark := ""
			switch {
			case t.Changed:
				mark = "changed"
			case t.Ejected:
				mark = "ejected"
			}
			fmt.Fprintf(out, "  %-7s  %s\n", mark, t.Name)
		}
		return nil
	})
}

func templatesEjectCommand() *cobra.Command {
	return changer(&cobra.Command{
		Use:   "eject NAME...",
		Short: "Write templates into the project, to be edited",
		Long: `Write templates into .nexios/templates, to be edited: every command then uses
them for this project. NAME is a template, or a folder of them, as templates list
shows them. nexios upgrade brings an edited template into what is there, merged
with your edits.

Ejected again, a template is merged with what is new in nexios' own. To go back to
nexios' own, delete the file.`,
		Example:           "  nexios templates eject resource\n  nexios templates eject 'resource/internal/{room}/input.go.tmpl'",
		Args:              needsName("nexios templates eject resource"),
		ValidArgsFunction: completeTemplate,
	}, func(cmd *cobra.Command, f changeFlags, open opened, _ string, args []string) error {
		p, err := open.catalog.Eject(open.Files(), args)
		if err != nil {
			return err
		}
		return carryOver(cmd, f, open, p, changing{
			title: "templates eject " + strings.Join(args, " "),
			next:  []string{"edit them in " + scaffold.TemplatesDir, "nexios upgrade --dry-run --diff"},
		})
	})
}

func templatesDiffCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:   "diff",
		Short: "Show what has changed in nexios' templates since they were ejected",
		Long: `Show what has changed in nexios' templates since they were ejected. Eject them
again to merge that with your edits, which nexios diff shows.`,
		Example: "  nexios templates diff",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		p, err := open.catalog.TemplateChanges(open.Files())
		if err != nil {
			return err
		}
		return showDiff(cmd, open, p)
	})
}
