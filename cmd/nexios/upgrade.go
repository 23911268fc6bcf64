package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"
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
		return &problem{
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
		how.done = fmt.Sprintf("the project now uses nexios %s, up from %s", is, has)
	}
	if canAsk(cmd) && !f.yes && !f.dryRun {
		how.ask = "Apply these changes?"
	}
	return carryOver(cmd, f, open, p, how)
}
