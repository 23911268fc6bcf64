package main

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
)

func diffCommand() *cobra.Command {
	var stat bool
	cmd := reader(&cobra.Command{
		Use:   "diff [PATH...]",
		Short: "Show how the project differs from what nexios wrote",
		Long: `Show how the project differs from what nexios wrote: your edits, as a diff
from its text to yours. An upgrade merges them with its own changes. Files you
created, migrations you added and additions to go.mod are not shown.

With PATH it shows only these files and folders of the project.`,
		Example: "  nexios diff\n  nexios diff --stat\n  nexios diff internal/posts",
	}, func(cmd *cobra.Command, open opened, args []string) error {
		p, err := open.catalog.Diff(open.spec, open.Files())
		if err != nil {
			return err
		}
		if p, err = below(p, args); err != nil {
			return err
		}
		if out := cmd.OutOrStdout(); stat && !wantsJSON(cmd) {
			return p.List(out, colours(out))
		}
		return showDiff(cmd, open, p)
	})
	cmd.Flags().BoolVar(&stat, "stat", false, "list the files instead")
	return cmd
}

// showDiff prints a plan that is not to be written.
func showDiff(cmd *cobra.Command, open opened, p plan.Plan) error {
	out := cmd.OutOrStdout()
	if !wantsJSON(cmd) {
		return p.Diff(out, colours(out))
	}
	return json.NewEncoder(out).Encode(struct {
		Dir  string    `json:"dir"`
		Plan plan.Plan `json:"plan"`
	}{open.dir, p})
}

// below returns the part of a plan that concerns the named files and directories, or
// all of it if names is empty.
func below(p plan.Plan, names []string) (plan.Plan, error) {
	if len(names) == 0 {
		return p, nil
	}
	for i, name := range names {
		if path.IsAbs(name) || strings.HasPrefix(path.Clean(name), "..") {
			return p, &problem.Error{What: name + " is not a path inside the project", Try: "nexios diff internal/app"}
		}
		names[i] = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	}
	return plan.New(slices.DeleteFunc(slices.Clone(p.Ops), func(op plan.Op) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return name == "." || op.Path == name || strings.HasPrefix(op.Path, name+"/")
		})
	})...), nil
}
