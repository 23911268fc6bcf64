package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/plan"
)

// part is a part of a project, with the command that adds it in its current form; see
// spec.Made.
type part struct {
	Kind    string `json:"kind"` // feature, resource, model, field, index or version
	Name    string `json:"name"`
	Command string `json:"command"`
}

func listCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:   "list",
		Short: "List the features and resources of the project",
		Long: `List the features and resources of the project, each with the command that adds
it as it is now, with the fields and options that were added or changed since.
Indexes, API versions and relations to a later resource follow as commands of
their own. Run in this order in a new project, they recreate this one.
Routes: nexios routes.`,
		Example: "  nexios list\n  nexios list --json",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		parts := partsOf(open)
		out := cmd.OutOrStdout()
		if wantsJSON(cmd) {
			return json.NewEncoder(out).Encode(struct {
				Dir   string `json:"dir"`
				Parts []part `json:"parts"`
			}{open.dir, parts})
		}
		if len(parts) == 0 {
			fmt.Fprintln(out, "nothing has been added yet\n\nnext:\n  nexios add --help")
		}
		for _, p := range parts {
			fmt.Fprintln(out, plan.Visible(p.Command))
		}
		return nil
	})
}

// partsOf lists the parts of a project, features first: resources may need them.
func partsOf(open opened) []part {
	parts := []part{}
	for _, chosen := range open.spec.Features {
		if f, ok := open.catalog.Feature(chosen.Name); ok { // always true for an opened project
			name := strings.TrimPrefix(scaffold.FeatureKey(chosen), "feature ")
			parts = append(parts, part{"feature", strings.TrimSpace(name), strings.Join(addWords(f, chosen.Options), " ")})
		}
	}
	for _, made := range open.spec.Commands() {
		parts = append(parts, part(made))
	}
	return parts
}

// addWords returns the words of the command that adds a feature with options.
func addWords(f scaffold.Feature, options map[string]string) []string {
	words := []string{"nexios add", f.Name}
	for _, o := range f.Options {
		switch value := options[o.Name]; {
		case value == o.Default || value == "":
		case isNameOption(f, o):
			words = slices.Insert(words, 2, value)
		default:
			words = append(words, "--"+o.Name, strings.ReplaceAll(value, ",", "/"))
		}
	}
	return words
}
