package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// removeHelp describes what every removal does.
const removeHelp = `If you edited one of the files, nothing is written unless you pass --force.
Migrations stay, since databases have applied them. If there are tables, a new
one drops them with their rows, and recreates them (empty) if rolled back.
Nothing else is touched, and nexios undo restores everything.`

func removeCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "remove",
		Short: "Remove a resource, a model, fields, an API version or a feature",
		Long:  "Remove a resource, a model, fields, an API version or a feature.\n\n" + removeHelp,
		Example: `  nexios remove resource post
  nexios remove field post subtitle
  nexios remove version v1 post
  nexios remove websocket chat
  nexios remove tour --dry-run`,
	}, removeResourceCommand(), removeFieldCommand(), removeIndexCommand(), removeVersionCommand())
	for _, feature := range templates.Features() {
		cmd.AddCommand(removeFeatureCommand(feature))
	}
	return cmd
}

// remover completes a command that removes parts of the project: of returns the project
// without them and what is removed.
func remover(cmd *cobra.Command, of func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) (spec.Project, removal, error)) *cobra.Command {
	var force bool
	cmd = changer(cmd, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) error {
		left, what, err := of(cmd, f, open, at, args)
		if err != nil {
			return err
		}
		return remove(cmd, f, open, left, what, force)
	})
	cmd.Flags().BoolVar(&force, "force", false, "also delete files that you edited")
	return cmd
}

func removeResourceCommand() *cobra.Command {
	return remover(&cobra.Command{
		Use:     "resource NAME",
		Aliases: []string{"model"},
		Short:   "Remove a resource or a model, and drop its table",
		Long: `Remove a resource or a model with its routes, inputs, tests and table. Nothing
else may refer to it; "has" fields that list its rows are removed with it.

` + removeHelp,
		Example:           "  nexios remove resource post\n  nexios remove resource post --dry-run --diff",
		Args:              needsOneName("nexios remove resource post"),
		ValidArgsFunction: completeResource,
	}, func(_ *cobra.Command, _ changeFlags, open opened, at string, args []string) (spec.Project, removal, error) {
		left, r, err := open.spec.Remove(args[0], at)
		what := removal{title: "remove resource " + r.Name}
		if r.ModelOnly {
			what.title = "remove model " + r.Name
		}
		return left, what, err
	})
}

func removeFeatureCommand(feature scaffold.Feature) *cobra.Command {
	var keepOpen bool // keep the resources, without their guards
	use := feature.Name
	if feature.Repeats {
		use += " [NAME]"
	}
	example, _, _ := strings.Cut(feature.Example, " --")
	cmd := remover(&cobra.Command{
		Use:     use,
		Short:   "Remove " + feature.Name,
		Long:    "Remove " + feature.Name + ". It fails if another feature needs it.\n\n" + removeHelp,
		Example: "  nexios remove " + example,
		Args:    optionalName(feature),
	}, func(cmd *cobra.Command, f changeFlags, open opened, at string, args []string) (spec.Project, removal, error) {
		chosen := spec.Feature{Name: feature.Name}
		if feature.Repeats {
			chosen.Options = map[string]string{"name": defaultName(feature)}
			if len(args) > 0 {
				chosen.Options["name"] = args[0]
			}
		}
		left, opened := open.spec, []string(nil)
		if feature.Name == "auth" && left.HasFeature("auth") {
			left, opened = left.Opened()
		}
		left, err := open.catalog.Remove(left, chosen, at)
		if err != nil {
			return left, removal{}, err
		}
		if !keepOpen {
			err = confirmOpen(cmd, f, opened)
		}
		key := strings.TrimSpace(strings.TrimPrefix(scaffold.FeatureKey(chosen), "feature "))
		return left, removal{title: "remove " + key, opened: opened, next: unneeded(open, left, feature, at)}, err
	})
	if feature.Name == "auth" {
		cmd.Flags().BoolVar(&keepOpen, "open", false, "resources that require a login stay, open to everybody")
	}
	return cmd
}

// defaultName returns the default name of a feature that can be added more than once.
func defaultName(f scaffold.Feature) string {
	at := slices.IndexFunc(f.Options, func(o scaffold.Option) bool { return isNameOption(f, o) })
	return f.Options[at].Default
}

// unneeded returns the commands that remove the features that only the removed feature
// needed.
func unneeded(open opened, left spec.Project, feature scaffold.Feature, at string) []string {
	needs := feature.Requires
	for _, had := range open.spec.Features {
		if had.Name == feature.Name && feature.Needs != nil {
			needs = append(slices.Clone(needs), feature.Needs(had)...)
		}
	}
	var commands []string
	for _, name := range needs {
		if _, err := open.catalog.Remove(left, spec.Feature{Name: name}, at); err == nil {
			commands = append(commands, "nexios remove "+name+"   # if you do not use it: only "+feature.Name+" needed it")
		}
	}
	return commands
}

// removal describes what is removed.
type removal struct {
	title  string
	opened []string // resources that anybody may call afterwards
	next   []string
	// version is the API version that is removed, or "" if other parts are.
	version string
}

// remove writes the project without the removed parts.
func remove(cmd *cobra.Command, f changeFlags, open opened, project spec.Project, what removal, force bool) error {
	question := ""
	if canAsk(cmd) && !f.yes && !f.dryRun {
		question = strings.TrimSpace(callableNotice("then", what.opened) + " " + strings.ToUpper(what.title[:1]) + what.title[1:] + "?")
	}
	done := slices.DeleteFunc([]string{callableNotice("now", what.opened), dropNotice(open.spec, project)}, func(s string) bool { return s == "" })
	how := changing{
		title: what.title, ask: question, force: force,
		done: strings.Join(done, "\n"), next: what.next,
	}
	if what.version == "" {
		return change(cmd, f, open, project, how)
	}
	p, err := open.catalog.RemoveVersion(open.spec, project, what.version, open.Files())
	if err != nil {
		return err
	}
	how.next = nextSteps(p)
	return carryOver(cmd, f, open, p, how)
}

// dropNotice returns a notice about the tables that the new migration drops.
func dropNotice(old, now spec.Project) string {
	if len(now.Dropped) == len(old.Dropped) {
		return ""
	}
	what := now.Dropped[len(now.Dropped)-1].What
	if slices.ContainsFunc(old.Resources, func(r spec.Resource) bool { return r.TableName() == what }) {
		return fmt.Sprintf("the new migration drops the table %s and its rows", what)
	}
	return fmt.Sprintf("the new migration drops the tables of %s and their rows", what)
}

// conflictHelp returns what to do about the conflicts of a plan.
func conflictHelp(cmd *cobra.Command, p plan.Plan) string {
	deleted := true
	for _, op := range p.Of(plan.Conflict) {
		if op.Note == plan.Both {
			return "review with --diff; then use --markers and resolve the conflicts"
		}
		deleted = deleted && op.After == nil
	}
	if deleted && cmd.Flags().Lookup("force") != nil {
		return strings.Join(append([]string{cmd.CommandPath()}, cmd.Flags().Args()...), " ") + " --force"
	}
	return "move these files away (--diff shows both versions), then run the same command again"
}
