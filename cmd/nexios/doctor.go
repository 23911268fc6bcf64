package main

import (
	"bytes"
	"cmp"
	"context"
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
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/joho/godotenv"
	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/cmd/nexios/reload"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/templates"
)

// finding is the result of one check of doctor.
type finding struct {
	Name   string `json:"name"`
	Status status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // what to type; empty if the status is ok
}

type status string

const (
	statusOK   status = "ok"
	statusWarn status = "warn" // may be intended
	statusFail status = "fail" // something will not work
)

func doctorCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the machine and the project, and suggest fixes",
		Long: `Check the machine and, inside a project, the project: Go, git, the module cache,
versions, edits in .nexios, uncommitted changes, guards, unique fields, clients
that lack resources or fields, indexes missing from tables of older versions,
who may read secrets, and the port. It does not compile the project, as
go vet ./... does. Exits with 1 if a check fails; a warning may be intended.`,
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
			if i := slices.IndexFunc(findings, func(f finding) bool { return f.Status == statusFail }); i >= 0 {
				err = &problem.Error{Kind: problem.Failure, What: findings[i].Name + ": " + findings[i].Detail, Try: findings[i].Remedy}
			}
			if !wantsJSON(cmd) {
				printFindings(cmd.OutOrStdout(), findings)
				return err
			}
			return encode(cmd.OutOrStdout(), struct {
				Findings []finding `json:"findings"`
				failure
			}{findings, newFailure(err)}, err)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", projectHelp)
	return cmd
}

func printFindings(w io.Writer, findings []finding) {
	width := 8
	for _, f := range findings {
		width = max(width, len(f.Name))
	}
	indent := width + 10
	style := colours(w)
	kinds := map[status]plan.Kind{statusOK: plan.Create, statusWarn: plan.Note, statusFail: plan.Conflict}
	for _, f := range findings {
		detail := strings.Join(command.Wrap(plan.Visible(f.Detail), 80-indent), "\n"+strings.Repeat(" ", indent))
		fmt.Fprintf(w, "  %s  %-*s  %s\n", style.Or(kinds[f.Status], fmt.Sprintf("%-4s", f.Status)), width, f.Name, detail)
		if f.Remedy != "" {
			fmt.Fprintf(w, "%*stry: %s\n", indent, "", plan.Visible(f.Remedy))
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
		return append(findings, checkPort(cmd.Context(), "", nil)), nil
	}
	mergeCheck := checkMerge(cmd, at)
	open, err := openToRead(cmd, at)
	if err != nil && mergeCheck.Status == statusFail { // nexios.json, perhaps
		return append(findings, mergeCheck), nil
	}
	if err != nil {
		return nil, err
	}
	defer open.Close()
	modules := checkModules(cmd, at)
	if mergeCheck.Status == statusFail && modules.Status == statusFail {
		modules = finding{"modules", statusWarn, "not checked: Go cannot read files with conflict markers", "nexios doctor"}
	}
	findings = append(findings,
		modules,
		checkVersion(open),
		checkRuntime(cmd, open),
		checkChanges(cmd, at),
		mergeCheck,
		checkGuards(open),
		checkUnique(open),
	)
	if f, found := checkTemplates(open); found {
		findings = append(findings, f)
	}
	findings = append(findings, checkClients(open)...)
	return append(append(findings, checkIndexes(open)...),
		checkSecrets(open.Files(), "sqlite:data/"+open.spec.Name+".db"),
		checkPort(cmd.Context(), at, open.Files()),
	), nil
}

// checkTemplates reports ejected templates that have no effect, or whose built-in
// versions have changed since.
func checkTemplates(open opened) (finding, bool) {
	list, err := open.catalog.Templates(open.Files())
	if err != nil {
		return finding{"templates", statusFail, err.Error(), "fix the files in " + scaffold.TemplatesDir}, true
	}
	if i := slices.IndexFunc(list, func(t scaffold.Template) bool { return t.Unused }); i >= 0 {
		return finding{"templates", statusWarn, "nexios has no template " + list[i].Name + ", so this file has no effect", "nexios templates list"}, true
	}
	ejected := slices.ContainsFunc(list, func(t scaffold.Template) bool { return t.Ejected })
	changed := slices.ContainsFunc(list, func(t scaffold.Template) bool { return t.Changed })
	if changed {
		return finding{"templates", statusWarn, "built-in templates have changed since they were ejected", "nexios templates diff"}, true
	}
	return finding{"templates", statusOK, "the project has templates of its own", ""}, ejected
}

func checkGo(cmd *cobra.Command, needs string) finding {
	probe := exec.CommandContext(cmd.Context(), "go", "env", "GOVERSION")
	probe.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	out, err := probe.Output()
	has := strings.TrimSpace(string(out))
	remedy := "install Go " + needs + " or newer: https://go.dev/dl"
	switch {
	case err != nil:
		return finding{"go", statusFail, "not found on the PATH", remedy}
	case version.Compare(has, "go"+needs) < 0:
		return finding{"go", statusFail, has + " is older than go" + needs, remedy}
	}
	return finding{"go", statusOK, has, ""}
}

func checkGit() finding {
	if _, err := exec.LookPath("git"); err != nil {
		return finding{"git", statusWarn, "not found on the PATH; new projects will not be committed", "install git: https://git-scm.com"}
	}
	return finding{"git", statusOK, "found", ""}
}

// checkModules lists everything the project and its tests depend on, offline.
func checkModules(cmd *cobra.Command, dir string) finding {
	list := exec.CommandContext(cmd.Context(), "go", "list", "-buildvcs=false", "-deps", "-test", "./...") // with buildvcs, git would run programs that the repository configures
	list.Dir = dir
	list.Env = append(os.Environ(), "GOPROXY=off")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	err := list.Run()
	reports := func(text string) bool { return bytes.Contains(stderr.Bytes(), []byte(text)) }
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return finding{"modules", statusWarn, "not checked: Go is missing", "install Go, then nexios doctor"}
	case err == nil:
		return finding{"modules", statusOK, "downloaded", ""}
	case reports("GOPROXY=off"):
		return finding{"modules", statusWarn, "some are not downloaded yet; the first build needs a network", "go mod download"}
	case reports("inconsistent vendoring"), reports("cannot find module providing package") && vendored(dir):
		return finding{"modules", statusFail, "vendor/ does not match go.mod", "go mod vendor"}
	case reports("listed in go.work"):
		return finding{"modules", statusFail, "a go.work above this project does not list it", "go work use " + quotePath(dir)}
	case reports("conflicting replacements for "):
		return finding{"modules", statusFail, "projects in one go.work must share one copy of the runtime, but each has its own", "go work edit -replace " + quotePath("github.com/nexios-go/nexios="+filepath.Join(dir, ".nexios"))}
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	return finding{"modules", statusFail, lines[len(lines)-1], "go mod tidy"}
}

func checkVersion(open opened) finding {
	project, tool := open.spec.Nexios, open.catalog.Version
	if project != tool {
		return finding{"version", statusFail, fmt.Sprintf("this project uses nexios %s; you are running nexios %s", project, tool), alignVersions(project, tool)}
	}
	return finding{"version", statusOK, "tool and project are at " + tool, ""}
}

// checkRuntime looks for edits in the project's copy of the runtime, which the next
// upgrade would overwrite.
func checkRuntime(cmd *cobra.Command, open opened) finding {
	const copied = ".nexios/runtime"
	has := map[string][]byte{}
	err := fs.WalkDir(open.Files(), copied, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(open.Files(), name)
		has[strings.TrimPrefix(name, copied+"/")] = text
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{"runtime", statusOK, "from the module", ""}
	case err != nil:
		return finding{"runtime", statusFail, err.Error(), "chmod -R u+r .nexios"}
	case open.spec.Nexios != open.catalog.Version:
		return finding{"runtime", statusOK, "from another version; not compared", ""}
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
		return finding{"runtime", statusOK, "unmodified", ""}
	}
	slices.Sort(edited)
	detail := filesOf(len(edited)) + " modified: " + edited[0]
	if len(edited) > 1 {
		detail += " ..."
	}
	if changed, err := gitStatus(cmd, open.dir, copied); err == nil && changed > 0 {
		return finding{"runtime", statusFail, detail, "git stash push --include-untracked -- " + copied}
	}
	return finding{"runtime", statusFail, detail, "nexios upgrade"}
}

func checkChanges(cmd *cobra.Command, dir string) finding {
	n, err := gitStatus(cmd, dir, ".")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return finding{"changes", statusWarn, "not checked: git is missing", "install git, then nexios doctor"}
	case err != nil && !errors.As(err, new(*exec.ExitError)):
		return finding{"changes", statusWarn, "not checked: " + err.Error(), "git config --local --list"}
	case err != nil:
		return finding{"changes", statusWarn, "the project is not a git repository", "git init && git add --all && git commit -m start"}
	case n > 0:
		return finding{"changes", statusWarn, filesOf(n) + " not committed; commit first so that nexios' changes stay separate", "git add --all && git commit"}
	}
	return finding{"changes", statusOK, "everything is committed", ""}
}

// checkMerge looks for an unfinished merge, and checks whether git uses the merge
// driver of nexios.
func checkMerge(cmd *cobra.Command, dir string) finding {
	out, err := git(cmd.Context(), dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return finding{"merge", statusOK, "no git repository", ""}
	}
	var conflicted []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if info, err := os.Lstat(at); err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 || slices.Contains(conflicted, name) {
			continue
		}
		if text, err := os.ReadFile(at); err == nil && hasMarkers(text) {
			conflicted = append(conflicted, name)
		}
	}
	if len(conflicted) > 0 {
		detail := filesOf(len(conflicted)) + " with conflict markers: " + conflicted[0]
		if len(conflicted) > 1 {
			detail += " ..."
		}
		if _, err := plainGit(cmd.Context(), dir, "rev-parse", "--quiet", "--verify", "MERGE_HEAD"); err != nil { // left by a nexios command
			return finding{"merge", statusFail, detail, "resolve " + conflicted[0] + ", between <<<<<<< and >>>>>>>"}
		}
		return finding{"merge", statusFail, detail, "nexios merge"}
	}
	if set, err := plainGit(cmd.Context(), dir, "config", "--get", "merge.nexios.driver"); err != nil || len(bytes.TrimSpace(set)) == 0 {
		return finding{"merge", statusWarn, "git merges generated files line by line, not with nexios", "nexios merge --install"}
	}
	return finding{"merge", statusOK, "git merges with nexios", ""}
}

func filesOf(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// gitStatus counts the uncommitted files below a path of the project.
func gitStatus(cmd *cobra.Command, dir, below string) (int, error) {
	out, err := git(cmd.Context(), dir, "status", "--porcelain", "--untracked-files=all", "--ignore-submodules=all", "--", below)
	return bytes.Count(out, []byte("\n")), err
}

// checkPort checks the address that the project in dir, if any, serves on: ADDR from
// the environment or .env, or the default.
func checkPort(ctx context.Context, dir string, project fs.FS) finding {
	addr := os.Getenv("ADDR")
	if addr == "" && project != nil {
		file, err := settings(project)
		if err != nil {
			return finding{"port", statusFail, ".env cannot be read: " + err.Error(), "go run . --help"}
		}
		addr = file["ADDR"]
	}
	addr = cmp.Or(addr, "127.0.0.1:8000")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return finding{"port", statusFail, fmt.Sprintf("ADDR=%s is not host:port", addr), "ADDR=127.0.0.1:8000 in .env"}
	}
	if listens(addr) {
		return finding{"port", statusOK, addr + " is free", ""}
	}
	if project != nil {
		if dev, err := reload.GetStatus(ctx, dir); err == nil && dev != nil && strings.HasSuffix(dev.URL, ":"+port) {
			return finding{"port", statusOK, addr + " is served by nexios dev of this project", ""}
		}
	}
	remedy := "nexios dev"
	if number, err := strconv.Atoi(port); err == nil {
		for next := number + 1; next < number+20; next++ {
			if free := net.JoinHostPort(host, strconv.Itoa(next)); listens(free) {
				remedy = "ADDR=" + free + " in .env"
				break
			}
		}
	}
	return finding{"port", statusWarn, addr + " is in use or not permitted", remedy}
}

// settings returns the settings in the project's .env, or nil if there is no such file.
func settings(project fs.FS) (map[string]string, error) {
	text, err := fs.ReadFile(project, ".env")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, errors.New("settings must be lines of NAME=value") // the parser's message quotes the text
	}
	return file, nil
}

// plainName matches paths that need no quoting in any shell.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./-]*$`)

// checkSecrets looks for files with secrets that other users of the machine can open:
// .env, and the files of a SQLite database inside the project. otherwise is the default
// of DATABASE_URL.
func checkSecrets(project fs.FS, otherwise string) finding {
	if runtime.GOOS == "windows" {
		return finding{"secrets", statusOK, "not checked: Windows has no such permissions", ""}
	}
	names := []string{".env"}
	file, _ := settings(project) // checkPort reports errors
	address := cmp.Or(os.Getenv("DATABASE_URL"), file["DATABASE_URL"], otherwise)
	if at, ok := strings.CutPrefix(address, "sqlite:"); ok {
		at, _, _ = strings.Cut(at, "?")
		at = path.Clean(strings.TrimPrefix(at, "//"))
		names = append(names, at, at+"-wal", at+"-shm")
	}
	var open []string
	for _, name := range names {
		if info, err := fs.Stat(project, name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		remedy := "chmod go= " + strings.Join(open, " ")
		if slices.ContainsFunc(open, func(name string) bool { return !plainName.MatchString(name) }) { // a shell could interpret such a name
			remedy = "chmod 600 each of them"
		}
		return finding{"secrets", statusWarn, "other users of this machine can read " + strings.Join(open, ", "), remedy}
	}
	return finding{"secrets", statusOK, "only you can read .env and SQLite's files", ""}
}

func listens(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		l.Close()
	}
	return err == nil
}
