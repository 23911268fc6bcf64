package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/spf13/cobra"
)

// oasdiff compares OpenAPI documents. It is run by its path and version, so that its
// dependencies are neither this tool's nor the project's.
const oasdiff = "github.com/oasdiff/oasdiff@v1.37.0"

func openAPICommand() *cobra.Command {
	cmd := reader(&cobra.Command{
		Use:   "openapi",
		Short: "Print the project's OpenAPI document, or compare two",
		Long:  "Print the OpenAPI document of the project. It builds and runs the project.",
		Example: `  nexios openapi > openapi.json
  nexios openapi diff --fail-on breaking openapi.json`,
		Args: noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		document, err := documentOf(cmd, open.dir)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), string(bytes.TrimSpace(document)))
		return err
	})
	cmd.AddCommand(openAPIDiffCommand())
	return cmd
}

// documentOf builds the project in dir and returns its OpenAPI document.
func documentOf(cmd *cobra.Command, dir string) ([]byte, error) {
	return goRunProject(cmd, dir, "openapi")
}

// goRunProject runs the project in dir with `go run` and the arguments words, and
// returns its output. Its stderr is passed through.
func goRunProject(cmd *cobra.Command, dir string, words ...string) ([]byte, error) {
	run := exec.CommandContext(cmd.Context(), "go", append([]string{"run", "-buildvcs=false", "."}, words...)...)
	run.Dir, run.Stderr = dir, cmd.ErrOrStderr()
	if isTerminal(cmd.OutOrStdout()) { // the program's stdout is a pipe
		run.Env = append(run.Environ(), "COLUMNS=80")
	}
	stop := showProgress(cmd, "building the project")
	out, err := run.Output()
	stop()
	if err != nil {
		return nil, cmp.Or(cancelled(cmd.Context()), error(&problem.Error{
			Kind: problem.Failure,
			What: "the project does not build or start; see the output above", Where: dir, Try: "go build ./...",
		}))
	}
	return out, nil
}

// cancelled returns errCancelled if ctx is done.
func cancelled(ctx context.Context) error {
	if ctx.Err() != nil {
		return errCancelled
	}
	return nil
}

// goRun runs a Go program by module path and version, and returns its output. It prints
// a note, since the first build takes a while.
func goRun(cmd *cobra.Command, program string, args ...string) ([]byte, error) {
	name, _, _ := strings.Cut(program, "@")
	fmt.Fprintf(cmd.ErrOrStderr(), "note: running %s; its first build may take a minute\n", filepath.Base(name))
	run := exec.CommandContext(cmd.Context(), "go", append([]string{"run", program}, args...)...)
	run.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	run.Stderr = cmd.ErrOrStderr()
	out, err := run.Output()
	if err != nil {
		return nil, cmp.Or(cancelled(cmd.Context()), error(&problem.Error{Kind: problem.Failure, What: filepath.Base(name) + " failed; see the output above", Try: "go run " + program + " --help"}))
	}
	return out, nil
}

// apiChange is a difference between two documents, as oasdiff reports it.
type apiChange struct {
	Level     int    `json:"level"`
	ID        string `json:"id"`
	Text      string `json:"text"`
	Operation string `json:"operation"`
	Path      string `json:"path"`
}

// severity returns what the change means for clients.
func (c apiChange) severity() string {
	switch c.Level {
	case 3:
		return "breaking"
	case 2:
		return "warning"
	}
	return "harmless"
}

func openAPIDiffCommand() *cobra.Command {
	var dir, failOn string
	cmd := &cobra.Command{
		Use:   "diff OLD [NEW]",
		Short: "Compare two OpenAPI documents, and show what breaks clients",
		Long: `Show what changed between two OpenAPI documents, and what breaks clients that
were written for the old one. NEW is the project's own document unless given.

The comparison is made by ` + oasdiff + `,
which go run fetches and builds the first time; it is not added to the project.`,
		Example: `  nexios openapi > openapi.json       # with each release
  nexios openapi diff openapi.json
  nexios openapi diff --fail-on breaking old.json new.json   # in CI`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return &problem.Error{What: fmt.Sprintf("diff takes one or two documents, not %d", len(args)), Try: "nexios openapi diff old.json new.json"}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if levels := failLevels(); !slices.Contains(levels, failOn) {
				return &problem.Error{What: fmt.Sprintf("unknown value %q for --fail-on", failOn), Label: "values", Where: strings.Join(levels, " "), Try: "nexios openapi diff --fail-on breaking " + args[0]}
			}
			for _, name := range args {
				if _, err := os.Stat(name); err != nil {
					return &problem.Error{Kind: problem.Failure, What: "there is no document " + name, Try: "nexios openapi > " + name}
				}
			}
			if len(args) == 1 {
				file, err := documentFile(cmd, dir)
				if err != nil {
					return err
				}
				defer os.Remove(file)
				args = append(args, file)
			}
			out, err := goRun(cmd, oasdiff, "changelog", "--format", "json", "--allow-external-refs=false", args[0], args[1])
			if err != nil {
				return err
			}
			return printChanges(cmd, out, failOn)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", projectHelp)
	cmd.Flags().StringVar(&failOn, "fail-on", "nothing", "exit with 1 if a change is at least: "+strings.Join(failLevels(), ", "))
	completeFlag(cmd, "fail-on", failLevels())
	return cmd
}

// failLevels returns the values of --fail-on. A change fails if its level is at least 4
// minus the index of the value.
func failLevels() []string { return []string{"nothing", "breaking", "warning", "any"} }

// documentFile writes the OpenAPI document of the project in dir to a temporary file.
func documentFile(cmd *cobra.Command, dir string) (name string, err error) {
	open, err := openToRead(cmd, dir)
	if err != nil {
		return "", err
	}
	defer open.Close()
	document, err := documentOf(cmd, open.dir)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp("", "openapi-*.json")
	if err != nil {
		return "", err
	}
	_, err = f.Write(document)
	return f.Name(), errors.Join(err, f.Close())
}

// printChanges prints the changes, the worst first, and returns an error if one is at
// least as severe as failOn.
func printChanges(cmd *cobra.Command, text []byte, failOn string) error {
	changes := []apiChange{}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &changes); err != nil {
			return fmt.Errorf("what oasdiff says cannot be read: %w", err)
		}
	}
	changes = slices.DeleteFunc(changes, func(c apiChange) bool { return c.ID == "api-version-not-bumped" }) // about the document, not the API
	slices.SortStableFunc(changes, func(a, b apiChange) int { return b.Level - a.Level })
	type entry struct {
		Severity  string `json:"severity"`
		ID        string `json:"id"`
		Text      string `json:"text"`
		Operation string `json:"operation,omitempty"`
	}
	list, bad := make([]entry, len(changes)), 0
	for i, c := range changes {
		list[i] = entry{c.severity(), c.ID, c.Text, strings.TrimSpace(c.Operation + " " + c.Path)}
		if at := slices.Index(failLevels(), failOn); at > 0 && c.Level > 3-at {
			bad++
		}
	}
	var err error
	if bad > 0 {
		err = &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("%d of %d changes are not allowed (--fail-on %s)", bad, len(changes), failOn), Try: "keep what clients use, and add new parts beside it"}
	}
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		return encode(out, struct {
			Changes []entry `json:"changes"`
			failure
		}{list, newFailure(err)}, err)
	}
	for _, c := range list {
		fmt.Fprintf(out, "  %-9s  %s: %s\n", c.Severity, c.Operation, strings.Join(strings.Fields(c.Text), " "))
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "no changes visible to clients")
	}
	return err
}
