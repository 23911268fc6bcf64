package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// newFlags are the settings of `nexios new`, from the command line or the wizard.
type newFlags struct {
	changeFlags
	name     string
	module   string
	database string
	preset   string
	noGit    bool
}

func newCommand() *cobra.Command {
	var f newFlags
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Create a project",
		Long: `Create a project in a new folder: a JSON API with migrations, tests and API
docs, ready to run. No network is needed once the modules are in Go's cache.

Without NAME it asks, on a terminal.`,
		Example: `  nexios new shop
  nexios new shop --module example.com/acme/shop --db postgres
  nexios new blog --preset guide      # every feature, wired up
  nexios new shop --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return noArgs(cmd, args[1:])
			case len(args) == 1:
				f.name = args[0]
				return createProject(cmd, f, "")
			case canAsk(cmd) && !f.yes:
				return newWizard(cmd, f)
			}
			return &problem.Error{What: "the project needs a name", Try: "nexios new shop"}
		},
	}
	f.changeFlags.add(cmd, "folder to create it in (default: its name)")
	cmd.Flags().StringVar(&f.module, "module", "", "Go module path (default: the name)")
	databases, presets := spec.Databases(), templates.Presets()
	cmd.Flags().StringVar(&f.database, "db", databases[0], "default database: "+strings.Join(databases, ", "))
	cmd.Flags().StringVar(&f.preset, "preset", presets[0], "initial contents: "+strings.Join(presets, ", "))
	cmd.Flags().BoolVar(&f.noGit, "no-git", false, "do not create a git repository")
	completeFlag(cmd, "db", described(databases, aboutDatabases()))
	completeFlag(cmd, "preset", described(presets, aboutPresets()))
	return cmd
}

// words returns the command line with these settings.
func (f newFlags) words() []string {
	words := []string{"nexios new", f.name}
	add := func(given bool, flag ...string) {
		if given {
			words = append(words, flag...)
		}
	}
	add(f.dir != "", "--dir", quotePath(f.dir))
	add(f.module != "", "--module", f.module)
	add(f.database != spec.Databases()[0], "--db", f.database)
	add(f.preset != templates.Presets()[0], "--preset", f.preset)
	add(f.noGit, "--no-git")
	return words
}

// folder returns the directory of the new project.
func (f newFlags) folder() string {
	return cmp.Or(f.dir, f.name)
}

// createProject runs `nexios new` once all its arguments are known. If question is not
// empty, it is asked before anything is written.
func createProject(cmd *cobra.Command, f newFlags, question string) error {
	catalog, err := templates.Catalog()
	if err != nil {
		return err
	}
	project, err := spec.New(spec.Project{Nexios: catalog.Version, Name: f.name, Module: f.module, Database: f.database})
	if err != nil {
		return err
	}
	now, err := clock()
	if err != nil {
		return err
	}
	migration, err := migrationTime(project)
	if err != nil {
		return err
	}
	project, err = templates.Preset(catalog, project, f.preset, migration)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(f.folder())
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() && !f.dryRun { // a killed `nexios new` may have left a partial project
		if err := refuseTracked(cmd, dir); err != nil {
			return err
		}
		done, err := apply.Recover(dir)
		printRecovery(cmd, done)
		if err != nil {
			return err
		}
	}
	if err := refuseOccupied(f.folder()); err != nil {
		return err
	}
	if outer, err := findProject(""); err == nil {
		if rel, err := filepath.Rel(outer, dir); err == nil && filepath.IsLocal(rel) {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: %s is inside another project, %s\n", dir, outer)
		}
	}
	p, err := catalog.Change(spec.Project{}, project, emptyDir{})
	if err != nil {
		return err
	}
	first := "nexios add resource post title:string:min=3 body:text"
	if len(project.Resources) > 0 { // the guide's posts
		first = "nexios add resource comment body:text post:ref=posts:filter"
	}
	s := step{
		dir:  dir,
		plan: p,
		ask:  question,
		write: func() error {
			if _, err := apply.New(dir, p, apply.Options{Title: "new " + project.Name, Time: now}); err != nil {
				return err
			}
			if !f.noGit {
				if err := firstCommit(cmd, dir); err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), "note:", err)
				}
			}
			return nil
		},
		done: project.Name + " is ready.",
		next: append(cdCommand(dir), first, "nexios dev"),
	}
	return f.carryOut(cmd, s)
}

// cdCommand returns the command that changes to dir, or nil if dir is the current
// directory.
func cdCommand(dir string) []string {
	rel, err := os.Getwd()
	if err == nil {
		rel, err = filepath.Rel(rel, dir)
	}
	switch {
	case err != nil:
		return []string{"cd " + quotePath(dir)}
	case rel == ".":
		return nil
	}
	return []string{"cd " + quotePath(rel)}
}

// quotePath quotes a path that contains spaces for the shell.
func quotePath(path string) string {
	if strings.Contains(path, " ") {
		return `"` + path + `"`
	}
	return path
}

// refuseOccupied rejects a directory that is not empty or cannot be created.
func refuseOccupied(dir string) error {
	const another = "another name, or --dir with an empty folder"
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0:
		return &problem.Error{What: dir + " already exists and is not empty", Try: another}
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return &problem.Error{What: dir + " cannot be created", Where: err.Error(), Try: another}
	}
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); err != nil {
		return &problem.Error{What: dir + " cannot be created", Where: parent + " does not exist", Try: "mkdir " + quotePath(parent)}
	}
	return nil
}

// emptyDir is the file system of a project that does not exist yet.
type emptyDir struct{}

func (emptyDir) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// firstCommit creates a git repository with a first commit, unless the project is
// inside a repository already.
func firstCommit(cmd *cobra.Command, dir string) error {
	git := func(args ...string) error {
		run := exec.CommandContext(cmd.Context(), "git", args...)
		run.Dir = dir
		out, err := run.CombinedOutput()
		if err != nil {
			return fmt.Errorf("the project is not committed: git %s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
		return nil
	}
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("the project is not a git repository: git was not found on the PATH")
	}
	if _, err := plainGit(cmd.Context(), dir, "rev-parse", "--is-inside-work-tree"); err == nil {
		return nil
	}
	if err := git("init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	if err := setDriver(cmd.Context(), dir); err != nil {
		return err
	}
	if err := git("add", "--all"); err != nil {
		return err
	}
	commit := []string{"commit", "--quiet", "--no-gpg-sign", "--message=Start " + filepath.Base(dir)}
	if git("var", "GIT_COMMITTER_IDENT") != nil {
		// Git has no user name configured on this machine.
		commit = append([]string{"-c", "user.name=nexios", "-c", "user.email=nexios@localhost"}, commit...)
	}
	return git(commit...)
}
