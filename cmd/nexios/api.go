package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func apiCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "api",
		Short:   "Serve the next version of the API beside the current one",
		Example: "  nexios api version v2 post",
	}, apiVersionCommand())
}

func apiVersionCommand() *cobra.Command {
	var sunset string
	cmd := changer(&cobra.Command{
		Use:   "version VERSION [RESOURCE...]",
		Short: "Serve the next version of resources beside the current one",
		Long: `Serve the next version of resources beside the current one: /api/v2/posts beside
/api/v1/posts. It is a package of its own (internal/postsv2) that starts as a
copy, with its own inputs, routes and tests. All versions share the table, the
model and its row rules.

Responses of the older version get the headers Deprecation (RFC 9745), Link to
the successor and, with --sunset, Sunset (RFC 8594); OpenAPI marks it as
deprecated.

From then on, add field, change field and the like change the model and the
newest version only. Older versions use the same model: a field that one of them
uses cannot be renamed, removed or given another type until that version is gone
(nexios remove version) or you have edited it to do without. Rows created
through an older version get the default of fields added since, or the value of
--backfill; its responses include those fields. Without RESOURCE, every resource
with routes gets the version.

A program has one handler per kind of job: if the module registers any, they are
listed for you to remove from the copy.`,
		Example: "  nexios api version v2 post\n  nexios api version v2 post --sunset 2027-05-28",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return &problem.Error{What: "nexios api version needs VERSION [RESOURCE...]", Try: "nexios api version v2"}
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []string{"v2"}, cobra.ShellCompDirectiveNoFileComp
			}
			return resourcesIn(cmd), cobra.ShellCompDirectiveNoFileComp
		},
	}, func(cmd *cobra.Command, f changeFlags, open opened, _ string, args []string) error {
		return addVersion(cmd, f, open, args[0], args[1:], sunset, "")
	})
	cmd.Flags().StringVar(&sunset, "sunset", "", "`date` after which the older version may be gone, such as 2027-05-28")
	return cmd
}

// addVersion runs `nexios api version` once all its arguments are known. If question is
// not empty, it is asked before anything is written.
func addVersion(cmd *cobra.Command, f changeFlags, open opened, version string, names []string, sunset, question string) error {
	now, err := clock()
	if err != nil {
		return err
	}
	project, added, err := open.spec.AddVersion(version, names, now.Format(time.DateOnly), sunset)
	if err != nil {
		return err
	}
	p, err := open.catalog.AddVersions(open.spec, project, added, open.Files())
	if err != nil {
		return err
	}
	title := strings.Join(append([]string{"api version", version}, names...), " ")
	return carryOver(cmd, f, open, p, changing{title: title, ask: question, next: nextSteps(p)})
}

func removeVersionCommand() *cobra.Command {
	return remover(&cobra.Command{
		Use:   "version VERSION [RESOURCE...]",
		Short: "Remove an older version of the API",
		Long: `Remove an older version of resources that nexios api version left beside the
next one: its package with inputs, routes and tests. Without RESOURCE, of every
resource that has it. The table, the model and newer versions stay as they are,
and so do the paths of those.

If you edited one of the files, nothing is written unless you pass --force.
nexios undo restores everything.`,
		Example: "  nexios remove version v1 post\n  nexios remove version v1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return &problem.Error{What: "nexios remove version needs VERSION [RESOURCE...]", Try: "nexios remove version --help"}
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return resourcesIn(cmd), cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, r := range projectOf(cmd).Resources {
				for _, v := range r.Older {
					names = append(names, v.Name)
				}
			}
			slices.Sort(names)
			return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
		},
	}, func(_ *cobra.Command, _ changeFlags, open opened, _ string, args []string) (spec.Project, removal, error) {
		left, _, err := open.spec.RemoveVersion(args[0], args[1:])
		return left, removal{title: strings.Join(append([]string{"remove version"}, args...), " "), version: args[0]}, err
	})
}
