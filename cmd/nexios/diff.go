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
	var (
		dir  string
		stat bool
	)
	cmd := &cobra.Command{
		Use:   "diff [PATH...]",
		Short: "Show how the project differs from what nexios wrote",
		Long: `Show how the project differs from what nexios wrote: your edits, as a diff
from its text to yours. An upgrade merges them with its own changes. Files you
created, migrations you added and additions to go.mod are not shown.

With PATHs it shows only these files and folders of the project.`,
		Example: "  nexios diff\n  nexios diff --stat\n  nexios diff internal/posts",
		RunE: func(cmd *cobra.Command, args []string) error {
			open, err := lookAt(cmd, dir)
			if err != nil {
				return err
			}
			defer open.Close()
			p, err := open.catalog.Diff(open.spec, open.Files())
			if err != nil {
				return err
			}
			if p, err = below(p, args); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch {
			case wantsJSON(cmd):
				return json.NewEncoder(out).Encode(struct {
					Dir  string    `json:"dir"`
					Plan plan.Plan `json:"plan"`
				}{open.dir, p})
			case stat:
				return p.List(out, colours(out))
			}
			return p.Diff(out, colours(out))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", projectHelp)
	cmd.Flags().BoolVar(&stat, "stat", false, "list the files instead")
	return cmd
}

// below is what a plan does to files and folders of the project; all of it when
// none are named.
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
