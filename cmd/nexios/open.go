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
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// opened is a project on disk, whole: an interrupted command has been finished
// or reverted.
type opened struct {
	dir     string
	spec    spec.Project
	catalog scaffold.Catalog
}

// openProject opens the project in dir, or, when dir is empty, the one that the
// current folder is in.
func openProject(cmd *cobra.Command, dir string) (opened, error) {
	dir, err := findProject(dir)
	if err != nil {
		return opened{}, err
	}
	if err := recoverProject(cmd, dir); err != nil {
		return opened{}, err
	}
	project, err := readProject(dir)
	if err != nil {
		return opened{}, err
	}
	catalog, err := templates.Catalog()
	if err != nil {
		return opened{}, err
	}
	return opened{dir, project, catalog}, nil
}

func readProject(dir string) (spec.Project, error) {
	text, err := os.ReadFile(filepath.Join(dir, scaffold.SpecFile))
	if err != nil {
		return spec.Project{}, err
	}
	return spec.Parse(text)
}

// openToChange is openProject, but refuses a project that another version
// wrote: what this one generates may not go with the project's runtime.
func openToChange(cmd *cobra.Command, dir string) (opened, error) {
	open, err := openProject(cmd, dir)
	if err != nil {
		return opened{}, err
	}
	if has := open.spec.Nexios; has != open.catalog.Version {
		return opened{}, &problem{
			What:  fmt.Sprintf("this project uses nexios %s; you are running nexios %s", has, open.catalog.Version),
			Where: filepath.Join(open.dir, scaffold.SpecFile),
			Try:   meet(has, open.catalog.Version),
		}
	}
	return open, nil
}

// meet is the command that makes a project and the tool of one version.
func meet(project, tool string) string {
	if semver.Compare("v"+project, "v"+tool) < 0 {
		return "nexios upgrade"
	}
	return getVersion(project)
}

// getVersion is the command that installs a version of nexios.
func getVersion(version string) string {
	return "go install github.com/nexios-go/nexios/cmd/nexios@v" + version
}

// recoverProject ends a step that an earlier command was killed in, and says so.
func recoverProject(cmd *cobra.Command, dir string) error {
	done, err := apply.Recover(dir)
	if told := done.String(); told != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", told)
	}
	return err
}

// findProject returns the nearest folder, from dir upwards, that a project is
// in; only dir itself when it was named.
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
			return "", &spec.Error{
				What:  "this is not a nexios project",
				Where: start + " has no " + scaffold.SpecFile,
				Try:   "nexios new shop",
			}
		}
		at = above
	}
}

// migrationTime is when the next migration of the project is made: now, or a
// second after the latest one when that is not in the past.
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

// clock is the time that goes into what is written: now or, for output that is
// the same byte for byte, SOURCE_DATE_EPOCH in seconds
// (reproducible-builds.org/specs/source-date-epoch).
func clock() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}, &spec.Error{
			What:  fmt.Sprintf("SOURCE_DATE_EPOCH is %q, which is not a number of seconds since 1970", epoch),
			Where: "the environment", Try: "unset SOURCE_DATE_EPOCH",
		}
	}
	return time.Unix(seconds, 0).UTC(), nil
}
