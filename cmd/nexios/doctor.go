package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/joho/godotenv"
	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/templates"
)

// finding is one thing that doctor looked at.
type finding struct {
	Name   string `json:"name"`
	Status status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // what to type; none when all is well
}

type status string

const (
	well status = "ok"
	note status = "note" // may be meant so
	mend status = "mend" // something will not work
)

func doctorCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what could go wrong, and say how to mend it",
		Long: `Look at the machine and, inside of one, at the project: Go, git, the module
cache, versions, edits in the tool's own folder, uncommitted changes, the port.
Exits with 1 when something must be mended; notes may be meant so.`,
		Example: "  nexios doctor\n  nexios doctor --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings, err := examine(cmd, dir)
			if cmd.Context().Err() != nil {
				return errCancelled
			}
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(findings, func(f finding) bool { return f.Status == mend }); i >= 0 {
				err = &problem{What: findings[i].Name + " must be mended: " + findings[i].Detail, Try: findings[i].Remedy}
			}
			if !wantsJSON(cmd) {
				printFindings(cmd.OutOrStdout(), findings)
				return err
			}
			answer := struct {
				Findings []finding `json:"findings"`
				failure
			}{findings, newFailure(err)}
			if broken := json.NewEncoder(cmd.OutOrStdout()).Encode(answer); broken != nil {
				return broken
			}
			if err != nil {
				return told{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", projectHelp)
	return cmd
}

func printFindings(w io.Writer, findings []finding) {
	const indent = 18
	style := colours(w)
	if style == nil {
		style = func(_ plan.Kind, text string) string { return text }
	}
	kinds := map[status]plan.Kind{well: plan.Create, note: plan.Note, mend: plan.Conflict}
	for _, f := range findings {
		detail := strings.Join(wrap(f.Detail, 80-indent), "\n"+strings.Repeat(" ", indent))
		fmt.Fprintf(w, "  %s  %-8s  %s\n", style(kinds[f.Status], fmt.Sprintf("%-4s", f.Status)), f.Name, detail)
		if f.Remedy != "" {
			fmt.Fprintf(w, "%*stry: %s\n", indent, "", f.Remedy)
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
		return append(findings, checkPort("")), recoverProject(cmd, ".")
	}
	open, err := openProject(cmd, at)
	if err != nil {
		return nil, err
	}
	return append(findings,
		checkModules(cmd, at),
		checkVersion(open),
		checkRuntime(cmd, open),
		checkChanges(cmd, at),
		checkPort(at),
	), nil
}

func checkGo(cmd *cobra.Command, needs string) finding {
	ask := exec.CommandContext(cmd.Context(), "go", "env", "GOVERSION")
	ask.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	out, err := ask.Output()
	has := strings.TrimSpace(string(out))
	remedy := "install Go " + needs + " or newer: https://go.dev/dl"
	switch {
	case err != nil:
		return finding{"go", mend, "no go was found on the PATH", remedy}
	case version.Compare(has, "go"+needs) < 0:
		return finding{"go", mend, has + " is older than go" + needs, remedy}
	}
	return finding{"go", well, has, ""}
}

func checkGit() finding {
	if _, err := exec.LookPath("git"); err != nil {
		return finding{"git", note, "no git was found on the PATH; new projects are not committed", "install git: https://git-scm.com"}
	}
	return finding{"git", well, "is there", ""}
}

// checkModules asks whether the project can be built without a network.
func checkModules(cmd *cobra.Command, dir string) finding {
	download := exec.CommandContext(cmd.Context(), "go", "mod", "download")
	download.Dir = dir
	download.Env = append(os.Environ(), "GOPROXY=off")
	out, err := download.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return finding{"modules", note, "were not looked at: there is no go", "nexios doctor, once there is"}
	case err != nil:
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return finding{"modules", mend, "not all are in the cache: " + lines[len(lines)-1], "go mod download"}
	}
	return finding{"modules", well, "are in the cache; no network is needed", ""}
}

func checkVersion(open opened) finding {
	project, tool := open.spec.Nexios, open.catalog.Version
	if project != tool {
		return finding{"version", mend, fmt.Sprintf("the project is of nexios %s, and this is nexios %s", project, tool), meet(project, tool)}
	}
	return finding{"version", well, "tool and project are both " + tool, ""}
}

// checkRuntime looks for edits in the project's copy of the runtime, which the
// next version would overwrite.
func checkRuntime(cmd *cobra.Command, open opened) finding {
	const copied = ".nexios/runtime"
	has := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(open.dir), copied, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(open.dir), name)
		has[strings.TrimPrefix(name, copied+"/")] = text
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{"runtime", well, "comes from the module", ""}
	case err != nil:
		return finding{"runtime", mend, err.Error(), "make it readable"}
	case open.spec.Nexios != open.catalog.Version:
		return finding{"runtime", well, "is that of another version, and was not compared", ""}
	}
	var edited []string
	for name, want := range open.catalog.Runtime {
		if text, ok := has[name]; !ok || !merge.Same(text, want) {
			edited = append(edited, path.Join(copied, name))
		}
		delete(has, name)
	}
	for name := range has {
		edited = append(edited, path.Join(copied, name))
	}
	if len(edited) == 0 {
		return finding{"runtime", well, "is as shipped", ""}
	}
	slices.Sort(edited)
	detail := filesOf(len(edited)) + " not as shipped: " + edited[0]
	if len(edited) > 1 {
		detail += " ..."
	}
	if changed, err := gitStatus(cmd, open.dir, copied); err == nil && changed > 0 {
		return finding{"runtime", mend, detail, "git stash push --include-untracked -- " + copied}
	}
	return finding{"runtime", mend, detail, "nexios upgrade, which writes it as shipped"}
}

func checkChanges(cmd *cobra.Command, dir string) finding {
	n, err := gitStatus(cmd, dir, ".")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return finding{"changes", note, "were not looked at: there is no git", "nexios doctor, once there is"}
	case err != nil:
		return finding{"changes", note, "the project is not under git", "git init && git add --all && git commit -m start"}
	case n > 0:
		return finding{"changes", note, filesOf(n) + " not committed; what nexios adds would mix in", "git add --all && git commit"}
	}
	return finding{"changes", well, "all is committed", ""}
}

func filesOf(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// gitStatus counts the files below a path of the project that are not committed.
func gitStatus(cmd *cobra.Command, dir, below string) (int, error) {
	status := exec.CommandContext(cmd.Context(), "git", "status", "--porcelain", "--untracked-files=all", "--", below)
	status.Dir = dir
	out, err := status.Output()
	return bytes.Count(out, []byte("\n")), err
}

// checkPort looks at the address that the project in dir, if any, will serve
// on: ADDR of the environment, else of .env, else the usual one.
func checkPort(dir string) finding {
	addr := os.Getenv("ADDR")
	if addr == "" && dir != "" {
		file, err := godotenv.Read(filepath.Join(dir, ".env"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return finding{"port", mend, ".env is not readable: " + err.Error(), "go run . --help, for what it may say"}
		}
		addr = file["ADDR"]
	}
	if addr == "" {
		addr = "127.0.0.1:8000"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return finding{"port", mend, fmt.Sprintf("ADDR=%s is not host:port", addr), "ADDR=127.0.0.1:8000 in .env"}
	}
	if listens(addr) {
		return finding{"port", well, addr + " is free", ""}
	}
	remedy := "nexios dev, which takes the next free one"
	if number, err := strconv.Atoi(port); err == nil {
		for next := number + 1; next < number+20; next++ {
			if free := net.JoinHostPort(host, strconv.Itoa(next)); listens(free) {
				remedy = "ADDR=" + free + " in .env"
				break
			}
		}
	}
	return finding{"port", note, addr + " is in use, or not for you to use", remedy}
}

func listens(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		l.Close()
	}
	return err == nil
}
