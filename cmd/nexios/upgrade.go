package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/types"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/rewrite"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func upgradeCommand() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade the project to this version of nexios",
		Long: `Regenerate the project as this version of nexios writes it: changes are merged
with your edits, and the project's copy of the runtime is replaced. Where
your own code calls what the runtime has renamed, it is rewritten, and each line
is listed.

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
	from, to := open.spec.Nexios, open.catalog.Version
	if semver.Compare("v"+from, "v"+to) > 0 {
		return &problem.Error{
			Kind:  problem.Failure,
			What:  fmt.Sprintf("this project uses nexios %s; you are running the older nexios %s", from, to),
			Where: filepath.Join(open.dir, "nexios.json"), Try: installCommand(from),
		}
	}
	p, err := open.catalog.Upgrade(open.spec, open.Files(), nil)
	if err != nil {
		return err
	}
	var about []string
	if from != to || slices.ContainsFunc(p.Changes(), func(op plan.Op) bool { return strings.HasPrefix(op.Path, ".nexios/runtime/") }) {
		uses, err := outdated(cmd, open)
		if err != nil {
			return err
		}
		if len(uses) > 0 {
			if p, err = open.catalog.Upgrade(open.spec, open.Files(), uses); err != nil {
				return err
			}
			about = append(about, rewritings(open, uses)...)
		}
	}
	how := changing{title: "upgrade to " + to, next: []string{"go mod tidy", "go run . migrate up", "go test ./..."}}
	if from != to {
		how.done = fmt.Sprintf("the project now uses nexios %s, up from %s", to, from)
		about = append(about, behaviour(open.spec), "changelog: "+changelog(to))
		if missing, err := missingIndexes(open.spec, open.Files()); err == nil && len(missing) > 0 {
			text := "indexes that new tables have but yours lack (nexios doctor lists them):"
			for _, f := range missing {
				text += "\n  " + f.Remedy
			}
			about = append(about, text)
		}
	}
	how.about = strings.Join(about, "\n\n")
	if canAsk(cmd) && !f.yes && !f.dryRun {
		how.ask = "Apply these changes?"
	}
	return carryOver(cmd, f, open, p, how)
}

// changelog returns the URL of a version's changelog.
func changelog(version string) string {
	return "https://github.com/nexios-go/nexios/blob/v" + version + "/CHANGELOG.md"
}

// outdated returns, by file, the uses of the runtime that must be rewritten for this
// version. Types are resolved against the runtime that the project has.
func outdated(cmd *cobra.Command, open opened) (map[string][]rewrite.Use, error) {
	uses, err := usesOf(cmd, open, "github.com/nexios-go/nexios/runtime", rewrite.Rules())
	if errors.Is(err, errUncertain) {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: calls to the old runtime API were not rewritten, because the project does not compile; go vet ./... says why")
		return nil, nil
	}
	return uses, err
}

// usesOf returns, by file, the uses of packages below root that rules change in the
// project's code. It returns errUncertain if the project does not compile.
func usesOf(cmd *cobra.Command, open opened, root string, rules []rewrite.Rule) (map[string][]rewrite.Use, error) {
	mentioned := false
	err := fs.WalkDir(open.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || mentioned:
			return err
		case entry.IsDir() && (strings.HasPrefix(name, ".") && name != "." || name == "vendor"):
			return fs.SkipDir
		case entry.Type().IsRegular() && strings.HasSuffix(name, ".go"):
			text, err := fs.ReadFile(open.Files(), name)
			mentioned = err == nil && rewrite.Mentions(text, rules)
			return err
		}
		return nil
	})
	if err != nil || !mentioned {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(open.dir)
	if err != nil {
		return nil, err
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	checked, err := typeCheck(cmd, open.dir, "", nil, info)
	if err != nil {
		return nil, err
	}
	uses := map[string][]rewrite.Use{}
	for _, file := range checked.parsed {
		full := checked.files.Position(file.FileStart).Filename
		if real, err := filepath.EvalSymlinks(full); err == nil {
			full = real
		}
		name, err := filepath.Rel(dir, full)
		if err != nil || !filepath.IsLocal(name) || uses[filepath.ToSlash(name)] != nil { // or a variant of a package for tests, seen before
			continue
		}
		if found := rewrite.Uses(checked.files, file, info, root, rules); len(found) > 0 {
			uses[filepath.ToSlash(name)] = found
		}
	}
	return uses, nil
}

// rewritings returns a notice about the user's lines that are rewritten, and why.
func rewritings(open opened, uses map[string][]rewrite.Use) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		text, err := fs.ReadFile(open.Files(), name)
		base, missing := fs.ReadFile(open.Files(), apply.BaseDir+"/"+name)
		if err != nil || missing == nil && merge.Same(text, base) && !strings.HasPrefix(name, "internal/migrations/") {
			continue // regenerated anyway
		}
		for _, use := range uses[name] {
			line := fmt.Sprintf("%s:%d  %s", name, use.Line, use.Rule)
			if use.Rule.To != "" {
				line += " is now " + use.Rule.To
			}
			if use.Rule.Why != "" {
				line += "\n    " + use.Rule.Why
			}
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return []string{"code rewritten for the newer runtime:\n  " + strings.Join(lines, "\n  ")}
}

// behaviour returns a notice about changes that clients of the upgraded project see,
// and that show in no diff.
func behaviour(p spec.Project) string {
	changed := []string{
		"a reference in a body to a row that is absent or deleted is 422 (rule exists), not 409",
		"an unknown query parameter is 422",
		"a row has one URL: an ID with a leading zero, or a UUID in upper case, is 404",
	}
	if p.HasFeature("auth") {
		changed = append(changed,
			"a reference to a row that the caller may not read is 422, and such rows are left out of relations",
			"rows of --guard admin and public rows of --public require a login to read",
			"users see only the id and username of other users",
			"a new API key with a scope that no route requires is 422",
			"a statement on a model with a rule needs the caller in its context: c.Request.Context(), auth.As or db.System",
			"a 409 for a row that is still in use names what uses it only to callers who may read that",
			"new resources require a login unless you say --guard none; nexios routes marks the routes that are open",
		)
	}
	if slices.ContainsFunc(p.Resources, func(r spec.Resource) bool { return len(r.Revealing()) > 0 }) {
		changed = append(changed, "in new resources that only owners read, unique applies per owner; yours stay as they are, and nexios doctor says how to change them")
	}
	if p.HasFeature("uploads") {
		changed = append(changed, "an upload attached to a row is readable by everyone who may read the row")
	}
	text := "changed behaviour:"
	for _, c := range changed {
		text += "\n  " + strings.Join(command.Wrap(c, 74), "\n    ")
	}
	return text
}
