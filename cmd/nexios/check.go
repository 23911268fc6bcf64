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

// compiles refuses a plan after which the project in dir does not compile any
// more, tests included, and names what would dangle. One that does not compile
// now cannot be told, and is let through with a note. Nothing is written: Go reads
// the plan over the project.
func compiles(cmd *cobra.Command, dir string, p plan.Plan) error {
	if !slices.ContainsFunc(p.Changes(), changesGo) {
		return nil
	}
	stop := sync.OnceFunc(waiting(cmd, "checking that it compiles"))
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
	// What types alone do not pass is for the compiler, which has better words.
	if told, err := checkTypes(cmd, dir, overlay, replace); err == nil && told == "" || errors.Is(err, errCancelled) {
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
		Label: "errors", Where: strings.Join(complaints(after, temp, dir), "\n"),
		Try: "fix these lines first, then run the same command again; or pass --no-check",
	}
}

// changesGo reports whether a change can break a build.
func changesGo(op plan.Op) bool {
	return op.Kind == plan.Delete || slices.Contains([]string{".go", ".mod", ".sum", ".work"}, path.Ext(op.Path))
}

// writeOverlay writes what the files of a plan will be to temp, and how they lie
// over those in dir for the go command.
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

// compile has Go compile all packages and their tests, and returns what it
// complains about. Nothing is linked, and the next build finds it in the cache.
// (go vet would do less work, but it enters folders that are only planned.)
func compile(cmd *cobra.Command, dir string, flags ...string) (string, error) {
	run := exec.CommandContext(cmd.Context(), "go", append(append([]string{"list", "-export", "-test", "-buildvcs=false"}, append(flags, pastVendor(dir)...)...), "./...")...)
	run.Dir = dir
	var told bytes.Buffer
	run.Stderr = &told
	err := run.Run()
	out := told.Bytes()
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

// pastVendor has the go command look for modules where they come from, in a project
// that has a copy of them: what is planned may need more, which that gets afterwards.
func pastVendor(dir string) []string {
	if !vendored(dir) {
		return nil
	}
	return []string{"-mod=readonly"}
}

// vendored reports whether the project in dir is built from a copy of its modules.
func vendored(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "vendor", "modules.txt"))
	return err == nil
}

// unreachable reports whether Go complains about the network, not about code.
func unreachable(complaint string) bool {
	return slices.ContainsFunc([]string{"module lookup disabled by GOPROXY=off", "dial tcp", "no such host", "i/o timeout"}, func(sign string) bool {
		return strings.Contains(complaint, sign)
	})
}

// complaints are the lines that name a place, as paths of the project.
func complaints(text, temp, dir string) []string {
	if real, err := filepath.EvalSymlinks(temp); err == nil {
		text = strings.ReplaceAll(text, real+string(filepath.Separator), "")
	}
	text = strings.ReplaceAll(text, temp+string(filepath.Separator), "")
	if way, err := filepath.Rel(dir, temp); err == nil {
		text = strings.ReplaceAll(text, way+string(filepath.Separator), "")
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
