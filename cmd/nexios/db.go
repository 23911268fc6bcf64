package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/problem"
)

func dbCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "db",
		Short:   "Check, reset, seed or open the project's database",
		Example: "  nexios db check\n  nexios db reset\n  nexios db console",
	}, dbCheckCommand(), dbResetCommand(), dbSeedCommand(), dbConsoleCommand())
}

func dbCheckCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:   "check",
		Short: "Compare the database with the migrations",
		Long: `Compare the database in DATABASE_URL with the project's migrations, and change
nothing. Reports pending migrations, missing tables, columns and indexes, and
columns that no migration made. Exits with 3 if they differ; foreign keys
without an index are only advice. It builds and runs the project.`,
		Example: "  nexios db check\n  nexios db check --json",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		line := "db check"
		if wantsJSON(cmd) {
			line += " --json"
		}
		return runProject(cmd, cmd.OutOrStdout(), open.dir, line)
	})
}

func dbResetCommand() *cobra.Command {
	var yes bool
	cmd := reader(&cobra.Command{
		Use:   "reset",
		Short: "Drop every table, migrate again and seed",
		Long: `Drop every table of the database in DATABASE_URL, apply all migrations, and run
"nexios db seed" if the project has seeds. It also helps after a migration that
stopped halfway. It asks for confirmation first, and refuses to run in
production. It builds and runs the project.`,
		Example: "  nexios db reset\n  nexios db reset --yes",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		lines := []string{"db reset"}
		if yes {
			lines = []string{"db reset --yes"}
		} else if !canAsk(cmd) {
			return &problem.Error{What: "db reset drops every table, and needs confirmation", Try: "nexios db reset --yes"}
		}
		if open.spec.HasFeature(seedFeature) {
			lines = append(lines, dbSeed)
		}
		return runProjectText(cmd, open.dir, lines...)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// seedFeature is the feature that adds the command dbSeed to a project's program.
const (
	seedFeature = "seed"
	dbSeed      = "db seed"
)

func dbSeedCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:   "seed",
		Short: "Add the sample rows for development",
		Long: `Add the rows of internal/seed to the database in DATABASE_URL. They are yours to
write: "nexios add seed" creates the package. It refuses to run in production.
It builds and runs the project.`,
		Example: "  nexios add seed\n  nexios db seed",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		if !open.spec.HasFeature(seedFeature) {
			return &problem.Error{Kind: problem.Failure, What: "this project has no seeds", Where: open.dir, Try: "nexios add seed"}
		}
		return runProjectText(cmd, open.dir, dbSeed)
	})
}

// runProjectText is runProject for commands that print text: with --json the text goes to
// stderr, and a line of JSON on stdout reports success.
func runProjectText(cmd *cobra.Command, dir string, lines ...string) error {
	if !wantsJSON(cmd) {
		return runProject(cmd, cmd.OutOrStdout(), dir, lines...)
	}
	if err := runProject(cmd, cmd.ErrOrStderr(), dir, lines...); err != nil {
		return err
	}
	return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"dir": dir, "seeded": slices.Contains(lines, dbSeed)})
}

// runProject builds the project in dir, runs it once with each line as its arguments,
// and exits with its status, where go run would always exit with 1.
func runProject(cmd *cobra.Command, out io.Writer, dir string, lines ...string) (err error) {
	temp, err := os.MkdirTemp("", "nexios-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	program := filepath.Join(temp, "program.exe") // Windows needs the extension
	build := exec.CommandContext(cmd.Context(), "go", "build", "-buildvcs=false", "-o", program, ".")
	build.Dir, build.Stdout, build.Stderr = dir, cmd.ErrOrStderr(), cmd.ErrOrStderr()
	stop := showProgress(cmd, "building the project")
	err = build.Run()
	stop()
	if err != nil {
		return cmp.Or(cancelled(cmd.Context()), error(&problem.Error{
			Kind: problem.Failure,
			What: "the project does not build; see the output above", Where: dir, Try: "go build ./...",
		}))
	}
	for _, line := range lines {
		run := exec.CommandContext(cmd.Context(), program, strings.Fields(line)...)
		run.Dir, run.Stdin, run.Stdout, run.Stderr = dir, cmd.InOrStdin(), out, cmd.ErrOrStderr()
		if err := exitError(cmd, dir, run.Run()); err != nil {
			return err
		}
	}
	return nil
}

// exitError returns the error that nexios exits with after the project's program returned
// err.
func exitError(cmd *cobra.Command, dir string, err error) error {
	status := (*exec.ExitError)(nil)
	if !errors.As(err, &status) {
		return err
	}
	if err := cancelled(cmd.Context()); err != nil {
		return err
	}
	failed := &problem.Error{Kind: problem.Failure, What: "the program failed; see the output above", Where: dir, Try: "nexios doctor"}
	switch status.ExitCode() {
	case exitConflict:
		return reported{&problem.Error{Kind: problem.Conflict, What: "it found something"}}
	case exitCancelled:
		return reported{errCancelled} // the program has printed it
	case exitUsage:
		failed.What, failed.Try = "the project's runtime does not know this command", "nexios upgrade"
	}
	return failed
}
