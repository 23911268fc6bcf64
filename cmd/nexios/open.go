package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

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
	text, err := os.ReadFile(filepath.Join(dir, scaffold.SpecFile))
	if err != nil {
		return opened{}, err
	}
	project, err := spec.Parse(text)
	if err != nil {
		return opened{}, err
	}
	catalog, err := templates.Catalog()
	if err != nil {
		return opened{}, err
	}
	return opened{dir, project, catalog}, nil
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
				What:  "there is no nexios project here",
				Where: start + " has no " + scaffold.SpecFile,
				Try:   "nexios new shop",
			}
		}
		at = above
	}
}

// migrationTime is when the next migration of the project is made: now, or a
// second after the latest one when that is not in the past.
func migrationTime(p spec.Project) string {
	const layout = "20060102150405"
	latest := ""
	for _, r := range p.Resources {
		latest = max(latest, r.Migration)
	}
	stamp := time.Now().UTC().Format(layout)
	if stamp > latest {
		return stamp
	}
	at, err := time.Parse(layout, latest)
	if err != nil {
		return stamp
	}
	return at.Add(time.Second).Format(layout)
}
