package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/plan"
)

func templatesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "templates",
		Short: "Use templates of your own for a project",
		Long: `Use templates of your own for a project: what is in .nexios/templates is used in
the place of the template of that name, by every command.`,
		Example: "  nexios templates list\n  nexios templates eject resource",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(templatesListCommand(), templatesEjectCommand(), templatesDiffCommand())
	return cmd
}

func templatesListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the templates, and which the project has of its own",
		Example: "  nexios templates list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			open, err := lookAt(cmd, dir)
			if err != nil {
				return err
			}
			defer open.Close()
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
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", projectHelp)
	return cmd
}

func templatesEjectCommand() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "eject NAME...",
		Short: "Write templates into the project, to be edited",
		Long: `Write templates into .nexios/templates, to be edited: every command then uses
them for this project. NAME is a template, or a folder of them, as templates list
shows them. nexios upgrade brings an edited template into what is there, merged
with your edits.

Ejected again, a template is merged with what is new in nexios' own. To go back to
nexios' own, delete the file.`,
		Example: "  nexios templates eject resource\n  nexios templates eject 'resource/internal/{room}/input.go.tmpl'",
		Args:    needsName("nexios templates eject resource"),
		RunE: func(cmd *cobra.Command, args []string) error {
			open, err := openToChange(cmd, f)
			if err != nil {
				return err
			}
			defer open.Close()
			p, err := open.catalog.Eject(open.Files(), args)
			if err != nil {
				return err
			}
			title := "templates eject"
			for _, name := range args {
				title += " " + name
			}
			return carryOver(cmd, f, open, p, changing{title: title, next: []string{"edit them in " + scaffold.TemplatesDir, "nexios upgrade --dry-run --diff"}})
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			open, err := lookAt(cmd, f.dir)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			defer open.Close()
			list, err := open.catalog.Templates(open.Files())
			var names []string
			for _, t := range list {
				names = append(names, t.Name)
			}
			if err != nil {
				names = nil
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	f.add(cmd, projectHelp)
	f.addMarkers(cmd)
	return cmd
}

func templatesDiffCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what has changed in nexios' templates since they were ejected",
		Long: `Show what has changed in nexios' templates since they were ejected. Eject them
again to merge that with your edits, which nexios diff shows.`,
		Example: "  nexios templates diff",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			open, err := lookAt(cmd, dir)
			if err != nil {
				return err
			}
			defer open.Close()
			p, err := open.catalog.TemplateChanges(open.Files())
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if wantsJSON(cmd) {
				return json.NewEncoder(out).Encode(struct {
					Dir  string    `json:"dir"`
					Plan plan.Plan `json:"plan"`
				}{open.dir, p})
			}
			return p.Diff(out, colours(out))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", projectHelp)
	return cmd
}
