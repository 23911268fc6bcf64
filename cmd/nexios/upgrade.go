package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func upgradeCommand() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade the project to this version of nexios",
		Long: `Regenerate the project as this version of nexios writes it: changes are merged
with your edits, and the project's copy of the runtime is replaced.

If you and the new version changed the same lines, nothing is written and the
files are named; --markers writes both versions into them for you to resolve.
Migrations and .env stay as they are. nexios undo reverts the upgrade.`,
		Example: "  nexios upgrade --dry-run --diff\n  nexios upgrade\n  nexios upgrade --markers    # then resolve the conflicts",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return upgrade(cmd, f)
		},
	}
	f.add(cmd, projectHelp)
	f.addMarkers(cmd)
	return cmd
}

func upgrade(cmd *cobra.Command, f changeFlags) error {
	open, err := openProject(cmd, f)
	if err != nil {
		return err
	}
	defer open.Close()
	has, is := open.spec.Nexios, open.catalog.Version
	if semver.Compare("v"+has, "v"+is) > 0 {
		return &problem.Error{
			Kind:  problem.Failure,
			What:  fmt.Sprintf("this project uses nexios %s; you are running the older nexios %s", has, is),
			Where: filepath.Join(open.dir, "nexios.json"), Try: getVersion(has),
		}
	}
	p, err := open.catalog.Upgrade(open.spec, open.Files())
	if err != nil {
		return err
	}
	how := changing{title: "upgrade to " + is, next: []string{"go mod tidy", "go run . migrate up", "go test ./..."}}
	if has != is {
		how.done = fmt.Sprintf("the project now uses nexios %s, up from %s", is, has) + "\n\n" + behaviour(open.spec)
		if lacking, err := lackingIndexes(open.spec, open.Files()); err == nil && len(lacking) > 0 {
			how.done += "\n  indexes that new tables have but yours lack (nexios doctor lists them):"
			for _, f := range lacking {
				how.done += "\n    " + f.Remedy
			}
		}
	}
	if canAsk(cmd) && !f.yes && !f.dryRun {
		how.ask = "Apply these changes?"
	}
	return carryOver(cmd, f, open, p, how)
}

// behaviour tells what a client of the upgraded project sees differently, where
// no line of it says so.
func behaviour(p spec.Project) string {
	changed := []string{
		"a reference in a body to a row that is absent or deleted is 422 (rule exists), not 409",
		"an unknown query parameter is 422",
		"a row has one URL: an ID with a leading zero, or a UUID in upper case, is 404",
	}
	if p.HasFeature("auth") {
		changed = append(changed,
			"a reference to a row that the caller may not read is 422, and such rows are in no relation",
			"rows of --guard admin and public rows of --public require a login to read",
			"users see only the id and username of other users",
			"a new API key with a scope that no route requires is 422",
			"a statement on a model with a rule needs the caller in its context: c.Request.Context(), auth.As or db.System",
			"a 409 for a row that is still in use names what uses it only to callers who may read that",
			"new resources require a login unless you say --guard none; nexios routes marks the routes that are open",
		)
	}
	if slices.ContainsFunc(p.Resources, func(r spec.Resource) bool { return len(r.Told()) > 0 }) {
		changed = append(changed, "in new resources that only owners read, unique applies per owner; yours stay as they are, and nexios doctor says how to change them")
	}
	if p.HasFeature("uploads") {
		changed = append(changed, "an upload attached to a row is readable by everyone who may read the row")
	}
	return "changed behaviour:\n  " + strings.Join(changed, "\n  ")
}
