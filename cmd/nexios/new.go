package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// newFlags are the answers that `nexios new` takes from its command line, or
// from the wizard.
type newFlags struct {
	changeFlags
	name     string
	module   string
	database string
	preset   string
	noGit    bool
	quiet    bool // the plan has been shown
}

func newCommand() *cobra.Command {
	var f newFlags
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Create a project",
		Long: `Create a project in a new folder: a JSON API with migrations, tests and an API
reference that serves as soon as it is built. No network is used when the
modules are in Go's cache.`,
		Example: `  nexios new shop
  nexios new shop --module example.com/acme/shop --db postgres
  nexios new blog --preset guide      # every part there is, wired up
  nexios new shop --dry-run`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if isTerminal(cmd.InOrStdin()) {
					return runWizard(cmd, args)
				}
				return &spec.Error{What: "the new project has no name", Try: "nexios new shop"}
			}
			f.name = args[0]
			return createProject(cmd, f)
		},
	}
	f.changeFlags.add(cmd, "where to create it (default: a folder of its name)")
	cmd.Flags().StringVar(&f.module, "module", "", "Go module path (default: the name)")
	cmd.Flags().StringVar(&f.database, "db", "sqlite", "the database it uses unless told otherwise: sqlite, postgres, mysql")
	cmd.Flags().StringVar(&f.preset, "preset", "minimal", "what it starts with: minimal, guide")
	cmd.Flags().BoolVar(&f.noGit, "no-git", false, "make no git repository")
	return cmd
}

// createProject is `nexios new` with all its answers given.
func createProject(cmd *cobra.Command, f newFlags) error {
	catalog, err := templates.Catalog()
	if err != nil {
		return err
	}
	project, err := spec.New(spec.Project{Nexios: catalog.Version, Name: f.name, Module: f.module, Database: f.database})
	if err != nil {
		return err
	}
	project, err = templates.Preset(catalog, project, f.preset, migrationTime(project))
	if err != nil {
		return err
	}
	dir := f.dir
	if dir == "" {
		dir = f.name
	}
	if err := refuseOccupied(dir); err != nil {
		return err
	}
	f.json, _ = cmd.Flags().GetBool("json")
	p, err := catalog.Change(spec.Project{}, project, emptyDir{})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if !f.quiet {
		if err := f.show(out, p); err != nil {
			return err
		}
	}
	if !f.dryRun {
		if _, err := apply.New(dir, p, apply.Options{Title: "new " + project.Name, Time: time.Now()}); err != nil {
			return err
		}
		if !f.noGit {
			if err := firstCommit(cmd, dir); err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", err)
			}
		}
	}
	if f.json {
		return json.NewEncoder(out).Encode(result{Applied: !f.dryRun, Dir: dir, Plan: p, Next: nextSteps(dir)})
	}
	if f.dryRun {
		_, err = fmt.Fprintln(out, "\nnothing was written (--dry-run)")
		return err
	}
	fmt.Fprintf(out, "\n%s is ready. next:\n", project.Name)
	for _, line := range nextSteps(dir) {
		fmt.Fprintln(out, "  "+line)
	}
	return nil
}

func nextSteps(dir string) []string {
	return []string{"cd " + dir, "nexios add resource post title:string:min=3 body:text", "nexios dev"}
}

// refuseOccupied refuses a folder that has something in it.
func refuseOccupied(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && len(entries) == 0:
		return nil
	case err == nil:
		return &spec.Error{What: fmt.Sprintf("%s is there already and not empty", dir), Try: "another name, or --dir with an empty folder"}
	}
	return &spec.Error{What: fmt.Sprintf("%s is not a folder that can be made", dir), Where: err.Error(), Try: "another name, or --dir with an empty folder"}
}

// emptyDir is the folder of a project that is not there yet.
type emptyDir struct{}

func (emptyDir) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// firstCommit puts the new project under git, unless it is inside of a
// repository already.
func firstCommit(cmd *cobra.Command, dir string) error {
	git := func(args ...string) error {
		run := exec.CommandContext(cmd.Context(), "git", args...)
		run.Dir = dir
		out, err := run.CombinedOutput()
		if err != nil {
			return fmt.Errorf("git %s: %w: %s\n  try:   git init && git add -A && git commit -m start", args[0], err, strings.TrimSpace(string(out)))
		}
		return nil
	}
	if git("rev-parse", "--is-inside-work-tree") == nil {
		return nil
	}
	if err := git("init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	if err := git("add", "--all"); err != nil {
		return err
	}
	commit := []string{"commit", "--quiet", "--no-gpg-sign", "--message=Start " + filepath.Base(dir)}
	if git("config", "user.email") != nil {
		// A machine on which git does not know its user yet.
		commit = append([]string{"-c", "user.name=nexios", "-c", "user.email=nexios@localhost"}, commit...)
	}
	return git(commit...)
}
