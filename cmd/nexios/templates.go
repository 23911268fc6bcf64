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
		Short: "Use your own templates in a project",
		Long: `Use your own templates in a project: every command uses a file in
.nexios/templates instead of the built-in template of the same name.`,
		Example: "  nexios templates list\n  nexios templates eject resource",
	}, templatesListCommand(), templatesEjectCommand(), templatesDiffCommand())
}

func templatesListCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:     "list",
		Short:   "List the templates, and which of them the project has ejected",
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
			state := ""
			switch {
			case t.Unused:
				state = "unused"
			case t.Changed:
				state = "changed"
			case t.Ejected:
				state = "ejected"
			}
			fmt.Fprintf(out, "  %-7s  %s\n", state, t.Name)
		}
		return nil
	})
}

func templatesEjectCommand() *cobra.Command {
	return changer(&cobra.Command{
		Use:   "eject NAME...",
		Short: "Copy templates into the project, for you to edit",
		Long: `Copy templates into .nexios/templates, for you to edit: from then on, every
command uses the copies in this project. NAME is a template or a folder of
templates, as in templates list. After you edit one, nexios upgrade regenerates
the project's files with it, and merges them with your edits.

Ejecting a template again merges what is new in the built-in one into yours. To
go back to the built-in one, delete the file.`,
		Example:           "  nexios templates eject resource\n  nexios templates eject 'resource/internal/{package}/input.go.tmpl'",
		Args:              needsName("nexios templates eject resource"),
		ValidArgsFunction: completeTemplate,
	}, func(cmd *cobra.Command, f changeFlags, open opened, _ string, args []string) error {
		return ejectTemplates(cmd, f, open, args, "")
	})
}

// ejectTemplates runs `nexios templates eject` once all its arguments are known. If
// question is not empty, it is asked before anything is written.
func ejectTemplates(cmd *cobra.Command, f changeFlags, open opened, names []string, question string) error {
	p, err := open.catalog.Eject(open.Files(), names)
	if err != nil {
		return err
	}
	return carryOver(cmd, f, open, p, changing{
		title: "templates eject " + strings.Join(names, " "), ask: question,
		next: []string{"edit them in " + scaffold.TemplatesDir, "nexios upgrade --dry-run --diff"},
	})
}

func templatesDiffCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:   "diff",
		Short: "Show what has changed in the built-in templates since eject",
		Long: `Show what has changed in the built-in templates since you ejected them. To merge
those changes with your edits, eject the templates again.`,
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
