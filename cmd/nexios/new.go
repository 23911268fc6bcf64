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

// newFlags are the answers that `nexios new` takes from its command line, or
// from the wizard.
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

// words is the command line that says the answers.
func (f newFlags) words() []string {
	words := []string{"nexios new", f.name}
	add := func(given bool, flag ...string) {
		if given {
			words = append(words, flag...)
		}
	}
	add(f.dir != "", "--dir", word(f.dir))
	add(f.module != "", "--module", f.module)
	add(f.database != spec.Databases()[0], "--db", f.database)
	add(f.preset != templates.Presets()[0], "--preset", f.preset)
	add(f.noGit, "--no-git")
	return words
}

// folder is where the project goes.
func (f newFlags) folder() string {
	return cmp.Or(f.dir, f.name)
}

// createProject is `nexios new` with all its answers given. question, if any,
// is asked before it writes.
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
	if info, err := os.Stat(dir); err == nil && info.IsDir() && !f.dryRun { // a killed `nexios new` may have begun to fill it
		if err := refuseTracked(cmd, dir); err != nil {
			return err
		}
		done, err := apply.Recover(dir)
		sayRecovery(cmd, done)
		if err != nil {
			return err
		}
	}
	if err := refuseOccupied(f.folder()); err != nil {
		return err
	}
	if around, err := findProject(""); err == nil {
		if way, err := filepath.Rel(around, dir); err == nil && filepath.IsLocal(way) {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: %s is inside another project, %s\n", dir, around)
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
		next: append(enter(dir), first, "nexios dev"),
	}
	return f.carryOut(cmd, s)
}

// enter is the command that leads into dir: none when that is where we are.
func enter(dir string) []string {
	way, err := os.Getwd()
	if err == nil {
		way, err = filepath.Rel(way, dir)
	}
	switch {
	case err != nil:
		return []string{"cd " + word(dir)}
	case way == ".":
		return nil
	}
	return []string{"cd " + word(way)}
}

// word is a path as one word in any shell.
func word(path string) string {
	if strings.Contains(path, " ") {
		return `"` + path + `"`
	}
	return path
}

// refuseOccupied refuses a folder that has something in it or cannot be made.
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
		return &problem.Error{What: dir + " cannot be created", Where: parent + " does not exist", Try: "mkdir " + word(parent)}
	}
	return nil
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
			return fmt.Errorf("the project is not committed: git %s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
		return nil
	}
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("the project is not a git repository: git was not found on the PATH")
	}
	if _, err := bare(cmd.Context(), dir, "rev-parse", "--is-inside-work-tree"); err == nil {
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
		// A machine on which git does not know its user yet.
		commit = append([]string{"-c", "user.name=nexios", "-c", "user.email=nexios@localhost"}, commit...)
	}
	return git(commit...)
}
