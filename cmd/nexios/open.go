package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// opened is a project on disk. The caller must close it.
type opened struct {
	*apply.Project
	dir     string
	spec    spec.Project
	catalog scaffold.Catalog
}

// openToRead opens the project in dir or, if dir is empty, the one that contains the
// current directory, for reading. It writes nothing.
func openToRead(cmd *cobra.Command, dir string) (opened, error) {
	dir, err := findProject(dir)
	if err != nil {
		return opened{}, err
	}
	folder, err := apply.Look(dir)
	if err != nil {
		return opened{}, err
	}
	if folder.Interrupted() {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: a command was interrupted here; the next one that writes finishes or reverts it")
	}
	return readOpened(folder, dir)
}

// reader completes a command that only reads the project: it adds the flag --dir and
// runs do with the open project.
func reader(cmd *cobra.Command, do func(cmd *cobra.Command, open opened, args []string) error) *cobra.Command {
	dir := cmd.Flags().String("dir", "", projectHelp)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		open, err := openToRead(cmd, *dir)
		if err != nil {
			return err
		}
		defer open.Close()
		return do(cmd, open, args)
	}
	return cmd
}

// openProject opens the project in dir, like openToRead, for a command that writes
// unless it is a dry run. It locks the project, and finishes or reverts the step of a
// command that was killed.
func openProject(cmd *cobra.Command, f changeFlags) (opened, error) {
	if f.dryRun {
		return openToRead(cmd, f.dir)
	}
	folder, dir, err := openFound(cmd, f)
	if err != nil {
		return opened{}, err
	}
	return readOpened(folder, dir)
}

// openFound opens the directory of the project that findProject finds, for writing
// unless it is a dry run.
func openFound(cmd *cobra.Command, f changeFlags) (folder *apply.Project, dir string, err error) {
	if dir, err = findProject(f.dir); err != nil {
		return nil, "", err
	}
	if f.dryRun {
		folder, err = apply.Look(dir)
	} else {
		folder, err = openFolder(cmd, dir)
	}
	return folder, dir, err
}

// openFolder opens a directory for writing.
func openFolder(cmd *cobra.Command, dir string) (*apply.Project, error) {
	if err := refuseTracked(cmd, dir); err != nil {
		return nil, err
	}
	folder, done, err := apply.Open(dir, apply.Options{})
	printRecovery(cmd, done)
	return folder, err
}

// printRecovery prints what was done about the step of a killed command.
func printRecovery(cmd *cobra.Command, done apply.Recovery) {
	if message := done.String(); message != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", plan.Visible(message))
	}
}

// refuseTracked rejects an undo journal that is under version control: whoever wrote
// the repository could have written it.
func refuseTracked(cmd *cobra.Command, dir string) error {
	if entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(apply.UndoDir))); err != nil || len(entries) == 0 {
		return nil // no journal
	}
	yes, err := tracked(cmd.Context(), dir, apply.UndoDir)
	if err != nil || !yes {
		return err
	}
	return &problem.Error{
		Kind:  problem.Failure,
		What:  "git tracks the undo journal, so it cannot be trusted",
		Where: filepath.Join(dir, filepath.FromSlash(apply.UndoDir)),
		Try:   "git rm -rf " + apply.UndoDir,
	}
}

func readOpened(folder *apply.Project, dir string) (_ opened, err error) {
	defer func() {
		if err != nil {
			folder.Close()
		}
	}()
	text, err := fs.ReadFile(folder.Files(), scaffold.SpecFile)
	if err != nil {
		return opened{}, err
	}
	catalog, err := templates.Catalog()
	if err != nil {
		return opened{}, err
	}
	catalog = catalog.Of(folder.Files())
	project, err := spec.Parse(text)
	if err != nil {
		return opened{}, err
	}
	if project, err = catalog.Known(project); err != nil {
		return opened{}, err
	}
	return opened{folder, dir, project, catalog}, nil
}

// openToChange is openProject, but rejects a project of another version: code that this
// version generates may not work with the project's runtime.
func openToChange(cmd *cobra.Command, f changeFlags) (_ opened, err error) {
	open, err := openProject(cmd, f)
	if err != nil {
		return opened{}, err
	}
	if version := open.spec.Nexios; version != open.catalog.Version {
		open.Close()
		return opened{}, &problem.Error{
			Kind:  problem.Failure,
			What:  fmt.Sprintf("this project uses nexios %s; you are running nexios %s", version, open.catalog.Version),
			Where: filepath.Join(open.dir, scaffold.SpecFile),
			Try:   alignVersions(version, open.catalog.Version),
		}
	}
	return open, nil
}

// alignVersions returns the command that brings project and tool to the same version.
func alignVersions(project, tool string) string {
	if semver.Compare("v"+project, "v"+tool) < 0 {
		return "nexios upgrade"
	}
	return installCommand(project)
}

// installCommand returns the command that installs a version of nexios.
func installCommand(version string) string {
	return "go install github.com/nexios-go/nexios/cmd/nexios@v" + version
}

// findProject returns the nearest directory, from dir upwards, that contains a project.
// If dir is not empty, only dir itself counts.
func findProject(dir string) (string, error) {
	named := dir != ""
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for start := at; ; {
		_, err := os.Stat(filepath.Join(at, scaffold.SpecFile))
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		above := filepath.Dir(at)
		if named || above == at {
			return "", &problem.Error{
				What:  "this is not a nexios project",
				Where: start + " has no " + scaffold.SpecFile,
				Try:   "nexios new shop",
			}
		}
		at = above
	}
}

// migrationTime returns the timestamp of the project's next migration: now, or one
// second after the latest migration if that is later.
func migrationTime(p spec.Project) (string, error) {
	const layout = "20060102150405"
	now, err := clock()
	if err != nil {
		return "", err
	}
	stamp, latest := now.Format(layout), p.Latest()
	if stamp > latest {
		return stamp, nil
	}
	at, err := time.Parse(layout, latest)
	if err != nil {
		return stamp, nil
	}
	return at.Add(time.Second).Format(layout), nil
}

// clock returns the time to write into files: now or, for reproducible output,
// SOURCE_DATE_EPOCH in seconds (reproducible-builds.org/specs/source-date-epoch).
func clock() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}, &problem.Error{
			What:  fmt.Sprintf("SOURCE_DATE_EPOCH is %q, which is not a number of seconds since 1970", epoch),
			Where: "the environment", Try: "unset SOURCE_DATE_EPOCH",
		}
	}
	return time.Unix(seconds, 0).UTC(), nil
}
