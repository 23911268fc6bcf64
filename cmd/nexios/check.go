package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// compiles rejects a plan after which the project in dir, tests included, no longer
// compiles, and lists the errors. If the project does not compile now, the check is
// skipped with a note. Nothing is written to dir: Go reads the plan as an overlay.
func compiles(cmd *cobra.Command, dir string, p plan.Plan) error {
	if !slices.ContainsFunc(p.Changes(), changesGo) {
		return nil
	}
	stop := sync.OnceFunc(showProgress(cmd, "checking that it compiles"))
	defer stop()
	temp, err := os.MkdirTemp("", "nexios-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	overlay, replace, err := writeOverlay(temp, dir, p)
	if err != nil {
		return err
	}
	// If type checking finds errors, compile as well: the compiler has better messages.
	if errs, err := checkTypes(cmd, dir, overlay, replace); err == nil && errs == "" || errors.Is(err, errCancelled) {
		return err
	}
	after, err := compile(cmd, dir, "-overlay="+overlay)
	if err != nil || after == "" {
		return err
	}
	stop() // before a note
	note := func(why string) {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: compile check skipped:", plan.Visible(why))
	}
	if unreachable(after) {
		note("some modules are not downloaded; run go mod download")
		return nil
	}
	before, err := compile(cmd, dir)
	if err != nil {
		return err
	}
	if before != "" {
		note("it did not compile before; go vet ./... says why")
		return nil
	}
	return &problem.Error{
		Kind:  problem.Conflict,
		What:  "the project would no longer compile; nothing was written",
		Label: "errors", Where: strings.Join(errorLines(after, temp, dir), "\n"),
		Try: "fix these lines first, then run the same command again; or pass --no-check",
	}
}

// changesGo reports whether a change can break a build.
func changesGo(op plan.Op) bool {
	return op.Kind == plan.Delete || slices.Contains([]string{".go", ".mod", ".sum", ".work"}, path.Ext(op.Path))
}

// writeOverlay writes the planned files to temp, with an overlay for the go command
// that puts them in place of those in dir.
func writeOverlay(temp, dir string, p plan.Plan) (overlay string, replace map[string]string, err error) {
	replace = map[string]string{}
	for _, op := range p.Changes() {
		at := filepath.FromSlash(op.Path)
		if op.After == nil {
			replace[filepath.Join(dir, at)] = ""
			continue
		}
		name := filepath.Join(temp, at)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return "", nil, err
		}
		if err := os.WriteFile(name, op.After, 0o600); err != nil {
			return "", nil, err
		}
		replace[filepath.Join(dir, at)] = name
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", nil, err
	}
	name := filepath.Join(temp, "overlay.json")
	return name, replace, os.WriteFile(name, text, 0o600)
}

// compile compiles all packages and their tests and returns Go's errors. Nothing is
// linked, and the next build finds the results in the build cache. (go vet would do
// less work, but it changes to directories that exist only in the overlay.)
func compile(cmd *cobra.Command, dir string, flags ...string) (string, error) {
	run := exec.CommandContext(cmd.Context(), "go", append(append([]string{"list", "-export", "-test", "-buildvcs=false"}, append(flags, ignoreVendor(dir)...)...), "./...")...)
	run.Dir = dir
	var stderr bytes.Buffer
	run.Stderr = &stderr
	err := run.Run()
	out := stderr.Bytes()
	switch {
	case cmd.Context().Err() != nil:
		return "", errCancelled
	case errors.Is(err, exec.ErrNotFound):
		fmt.Fprintln(cmd.ErrOrStderr(), "note: compile check skipped: go was not found on the PATH")
		return "", nil
	case err == nil:
		return "", nil
	case len(bytes.TrimSpace(out)) == 0:
		return "", err
	}
	return string(out), nil
}

// ignoreVendor returns the flag that makes the go command ignore vendor/, if the project
// has one: the plan may need modules that are vendored only afterwards.
func ignoreVendor(dir string) []string {
	if !vendored(dir) {
		return nil
	}
	return []string{"-mod=readonly"}
}

// vendored reports whether the project in dir has a vendor directory.
func vendored(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "vendor", "modules.txt"))
	return err == nil
}

// unreachable reports whether Go's errors are about the network, not about code.
func unreachable(complaint string) bool {
	return slices.ContainsFunc([]string{"module lookup disabled by GOPROXY=off", "dial tcp", "no such host", "i/o timeout"}, func(pattern string) bool {
		return strings.Contains(complaint, pattern)
	})
}

// errorLines returns the lines of Go's errors without duplicates, at most 10, with
// paths relative to the project.
func errorLines(text, temp, dir string) []string {
	if real, err := filepath.EvalSymlinks(temp); err == nil {
		text = strings.ReplaceAll(text, real+string(filepath.Separator), "")
	}
	text = strings.ReplaceAll(text, temp+string(filepath.Separator), "")
	if rel, err := filepath.Rel(dir, temp); err == nil {
		text = strings.ReplaceAll(text, rel+string(filepath.Separator), "")
	}
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "./")
		if line != "" && !strings.HasPrefix(line, "#") && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	const most = 10
	if len(lines) > most {
		lines = append(lines[:most:most], fmt.Sprintf("and %d more", len(lines)-most))
	}
	return lines
}
