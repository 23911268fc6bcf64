package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/runtime"
	"github.com/nexios-go/nexios/templates"
)

// finding is one thing that doctor looked at.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // what to type; none when all is well
}

func doctorCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what could go wrong, and say how to mend it",
		Long: `Look at the machine and, inside of one, at the project: Go, git, the module
cache, versions, edits in the tool's own folder, uncommitted changes, the port.
Exits with 1 when something wants mending.`,
		Example: "  nexios doctor\n  nexios doctor --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings, err := examine(cmd, dir)
			if err != nil {
				return err
			}
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"findings": findings}); err != nil {
					return err
				}
			} else {
				printFindings(cmd.OutOrStdout(), findings)
			}
			if i := slices.IndexFunc(findings, func(f finding) bool { return !f.OK }); i >= 0 {
				return fmt.Errorf("%s wants mending", findings[i].Name)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the project (default: the current folder or one above it)")
	return cmd
}

func printFindings(w io.Writer, findings []finding) {
	for _, f := range findings {
		word := "ok"
		if !f.OK {
			word = "mend"
		}
		fmt.Fprintf(w, "  %-5s %-9s %s\n", word, f.Name, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(w, "%17stry: %s\n", "", f.Remedy)
		}
	}
}

func examine(cmd *cobra.Command, dir string) ([]finding, error) {
	catalog, err := templates.Catalog()
	if err != nil {
		return nil, err
	}
	findings := []finding{checkGo(cmd, catalog.Requirements.Go), checkGit()}
	at, err := findProject(dir)
	if err != nil {
		if dir != "" {
			return nil, err
		}
		return append(findings, checkPort("127.0.0.1:8000")), nil
	}
	open, err := openProject(cmd, at)
	if err != nil {
		return nil, err
	}
	return append(findings,
		checkModules(cmd, at),
		checkVersion(open),
		checkOwn(at, catalog.Runtime),
		checkDirty(cmd, at),
		checkPort("127.0.0.1:8000"),
	), nil
}

func checkGo(cmd *cobra.Command, needs string) finding {
	out, err := exec.CommandContext(cmd.Context(), "go", "env", "GOVERSION").Output()
	has := strings.TrimSpace(string(out))
	switch {
	case err != nil:
		return finding{"go", false, "there is no go on the PATH", "install Go " + needs + " or newer: https://go.dev/dl"}
	case version.Compare(has, "go"+needs) < 0:
		return finding{"go", false, has + " is older than go" + needs, "install Go " + needs + " or newer: https://go.dev/dl"}
	}
	return finding{Name: "go", OK: true, Detail: has}
}

func checkGit() finding {
	if _, err := exec.LookPath("git"); err != nil {
		return finding{"git", false, "there is no git on the PATH", "install git, or use nexios new --no-git"}
	}
	return finding{Name: "git", OK: true, Detail: "is there"}
}

// checkModules asks whether the project could be built without a network.
func checkModules(cmd *cobra.Command, dir string) finding {
	list := exec.CommandContext(cmd.Context(), "go", "list", "-deps", "-test", "./...")
	list.Dir = dir
	list.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	if err := list.Run(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return finding{"modules", false, "not all are in the cache: " + line, "go mod download"}
	}
	return finding{Name: "modules", OK: true, Detail: "are in the cache; no network is needed"}
}

func checkVersion(open opened) finding {
	if open.spec.Nexios != runtime.Version {
		return finding{"version", false,
			fmt.Sprintf("the project is of nexios %s, this is %s", open.spec.Nexios, runtime.Version),
			"go install github.com/nexios-go/nexios/cmd/nexios@v" + open.spec.Nexios}
	}
	return finding{Name: "version", OK: true, Detail: "tool and project are both " + runtime.Version}
}

// checkOwn looks for edits in the project's copy of the runtime, which would
// be lost with the next version.
func checkOwn(dir string, source map[string][]byte) finding {
	var edited []string
	for name, want := range source {
		has, err := os.ReadFile(filepath.Join(dir, ".nexios", "runtime", filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(has, want) {
			edited = append(edited, ".nexios/runtime/"+name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".nexios", "runtime")); errors.Is(err, os.ErrNotExist) {
		return finding{Name: "runtime", OK: true, Detail: "comes from the module"}
	}
	if len(edited) > 0 {
		slices.Sort(edited)
		return finding{"runtime", false, fmt.Sprintf("%s differs from what this nexios ships (%d files in all)", edited[0], len(edited)), "git checkout .nexios"}
	}
	return finding{Name: "runtime", OK: true, Detail: "is as shipped"}
}

func checkDirty(cmd *cobra.Command, dir string) finding {
	status := exec.CommandContext(cmd.Context(), "git", "status", "--porcelain", "--", ".")
	status.Dir = dir
	out, err := status.Output()
	if err != nil {
		return finding{"changes", false, "the project is not under git", "git init && git add --all && git commit -m start"}
	}
	if n := strings.Count(string(out), "\n"); n > 0 {
		return finding{"changes", false, fmt.Sprintf("%d files are not committed", n), "git add --all && git commit, so that nexios add shows only its own changes"}
	}
	return finding{Name: "changes", OK: true, Detail: "all is committed"}
}

func checkPort(addr string) finding {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return finding{"port", false, addr + " is in use", "nexios dev --port 8001"}
	}
	l.Close()
	return finding{Name: "port", OK: true, Detail: addr + " is free"}
}
