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
	warn status = "warn" // may be intended
	fail status = "fail" // something will not work
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
			if i := slices.IndexFunc(findings, func(f finding) bool { return f.Status == fail }); i >= 0 {
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
	const indent = 18
	style := colours(w)
	kinds := map[status]plan.Kind{well: plan.Create, warn: plan.Note, fail: plan.Conflict}
	for _, f := range findings {
		detail := strings.Join(command.Wrap(plan.Visible(f.Detail), 80-indent), "\n"+strings.Repeat(" ", indent))
		fmt.Fprintf(w, "  %s  %-8s  %s\n", style.Or(kinds[f.Status], fmt.Sprintf("%-4s", f.Status)), f.Name, detail)
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
	merged := checkMerge(cmd, at)
	open, err := lookAt(cmd, at)
	if err != nil && merged.Status == fail { // nexios.json, perhaps
		return append(findings, merged), nil
	}
	if err != nil {
		return nil, err
	}
	defer open.Close()
	modules := checkModules(cmd, at)
	if merged.Status == fail && modules.Status == fail {
		modules = finding{"modules", warn, "not checked: Go cannot read files with conflict markers", "nexios doctor"}
	}
	findings = append(findings,
		modules,
		checkVersion(open),
		checkRuntime(cmd, open),
		checkChanges(cmd, at),
		merged,
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

// checkTemplates tells of templates whose own ones have changed since the project
// ejected them.
func checkTemplates(open opened) (finding, bool) {
	list, err := open.catalog.Templates(open.Files())
	if err != nil {
		return finding{"templates", fail, err.Error(), "fix the files in " + scaffold.TemplatesDir}, true
	}
	ejected := slices.ContainsFunc(list, func(t scaffold.Template) bool { return t.Ejected })
	changed := slices.ContainsFunc(list, func(t scaffold.Template) bool { return t.Changed })
	if changed {
		return finding{"templates", warn, "built-in templates have changed since they were ejected", "nexios templates diff"}, true
	}
	return finding{"templates", well, "the project has templates of its own", ""}, ejected
}

func checkGo(cmd *cobra.Command, needs string) finding {
	ask := exec.CommandContext(cmd.Context(), "go", "env", "GOVERSION")
	ask.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	out, err := ask.Output()
	has := strings.TrimSpace(string(out))
	remedy := "install Go " + needs + " or newer: https://go.dev/dl"
	switch {
	case err != nil:
		return finding{"go", fail, "not found on the PATH", remedy}
	case version.Compare(has, "go"+needs) < 0:
		return finding{"go", fail, has + " is older than go" + needs, remedy}
	}
	return finding{"go", well, has, ""}
}

func checkGit() finding {
	if _, err := exec.LookPath("git"); err != nil {
		return finding{"git", warn, "not found on the PATH; new projects will not be committed", "install git: https://git-scm.com"}
	}
	return finding{"git", well, "found", ""}
}

// checkModules asks Go for all that the project and its tests are built of.
func checkModules(cmd *cobra.Command, dir string) finding {
	list := exec.CommandContext(cmd.Context(), "go", "list", "-buildvcs=false", "-deps", "-test", "./...") // git would run what the repository names
	list.Dir = dir
	list.Env = append(os.Environ(), "GOPROXY=off")
	var told bytes.Buffer
	list.Stderr = &told
	err := list.Run()
	says := func(text string) bool { return bytes.Contains(told.Bytes(), []byte(text)) }
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return finding{"modules", warn, "not checked: Go is missing", "install Go, then nexios doctor"}
	case err == nil:
		return finding{"modules", well, "downloaded", ""}
	case says("GOPROXY=off"):
		return finding{"modules", warn, "some are not downloaded yet; the first build needs a network", "go mod download"}
	case says("inconsistent vendoring"), says("cannot find module providing package") && vendored(dir):
		return finding{"modules", fail, "vendor/ does not match go.mod", "go mod vendor"}
	case says("listed in go.work"):
		return finding{"modules", fail, "a go.work above this project does not list it", "go work use " + word(dir)}
	case says("conflicting replacements for "):
		return finding{"modules", fail, "projects in one go.work must share one copy of the runtime, but each has its own", "go work edit -replace " + word("github.com/nexios-go/nexios="+filepath.Join(dir, ".nexios"))}
	}
	lines := strings.Split(strings.TrimSpace(told.String()), "\n")
	return finding{"modules", fail, lines[len(lines)-1], "go mod tidy"}
}

func checkVersion(open opened) finding {
	project, tool := open.spec.Nexios, open.catalog.Version
	if project != tool {
		return finding{"version", fail, fmt.Sprintf("this project uses nexios %s; you are running nexios %s", project, tool), meet(project, tool)}
	}
	return finding{"version", well, "tool and project are at " + tool, ""}
}

// checkRuntime looks for edits in the project's copy of the runtime, which the
// next version would overwrite.
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
		return finding{"runtime", well, "from the module", ""}
	case err != nil:
		return finding{"runtime", fail, err.Error(), "chmod -R u+r .nexios"}
	case open.spec.Nexios != open.catalog.Version:
		return finding{"runtime", well, "from another version; not compared", ""}
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
		return finding{"runtime", well, "unmodified", ""}
	}
	slices.Sort(edited)
	detail := filesOf(len(edited)) + " modified: " + edited[0]
	if len(edited) > 1 {
		detail += " ..."
	}
	if changed, err := gitStatus(cmd, open.dir, copied); err == nil && changed > 0 {
		return finding{"runtime", fail, detail, "git stash push --include-untracked -- " + copied}
	}
	return finding{"runtime", fail, detail, "nexios upgrade"}
}

func checkChanges(cmd *cobra.Command, dir string) finding {
	n, err := gitStatus(cmd, dir, ".")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return finding{"changes", warn, "not checked: git is missing", "install git, then nexios doctor"}
	case err != nil && !errors.As(err, new(*exec.ExitError)):
		return finding{"changes", warn, "not checked: " + err.Error(), "git config --local --list"}
	case err != nil:
		return finding{"changes", warn, "the project is not a git repository", "git init && git add --all && git commit -m start"}
	case n > 0:
		return finding{"changes", warn, filesOf(n) + " not committed; commit first so that nexios' changes stay separate", "git add --all && git commit"}
	}
	return finding{"changes", well, "everything is committed", ""}
}

// checkMerge looks for a merge that is not finished, and whether git merges with
// nexios.
func checkMerge(cmd *cobra.Command, dir string) finding {
	out, err := git(cmd.Context(), dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return finding{"merge", well, "no git repository", ""}
	}
	var torn []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if info, err := os.Lstat(at); err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 || slices.Contains(torn, name) {
			continue
		}
		if text, err := os.ReadFile(at); err == nil && hasMarkers(text) {
			torn = append(torn, name)
		}
	}
	if len(torn) > 0 {
		detail := filesOf(len(torn)) + " with conflict markers: " + torn[0]
		if len(torn) > 1 {
			detail += " ..."
		}
		if _, err := bare(cmd.Context(), dir, "rev-parse", "--quiet", "--verify", "MERGE_HEAD"); err != nil { // a command left them
			return finding{"merge", fail, detail, "resolve " + torn[0] + ", between <<<<<<< and >>>>>>>"}
		}
		return finding{"merge", fail, detail, "nexios merge"}
	}
	if set, err := bare(cmd.Context(), dir, "config", "--get", "merge.nexios.driver"); err != nil || len(bytes.TrimSpace(set)) == 0 {
		return finding{"merge", warn, "git merges generated files line by line, not with nexios", "nexios merge --install"}
	}
	return finding{"merge", well, "git merges with nexios", ""}
}

func filesOf(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// gitStatus counts the files below a path of the project that are not committed.
func gitStatus(cmd *cobra.Command, dir, below string) (int, error) {
	out, err := git(cmd.Context(), dir, "status", "--porcelain", "--untracked-files=all", "--ignore-submodules=all", "--", below)
	return bytes.Count(out, []byte("\n")), err
}

// checkPort looks at the address that the project in dir, if any, will serve on: ADDR
// of the environment, else of .env, else the usual one.
func checkPort(ctx context.Context, dir string, project fs.FS) finding {
	addr := os.Getenv("ADDR")
	if addr == "" && project != nil {
		file, err := settings(project)
		if err != nil {
			return finding{"port", fail, ".env cannot be read: " + err.Error(), "go run . --help"}
		}
		addr = file["ADDR"]
	}
	addr = cmp.Or(addr, "127.0.0.1:8000")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return finding{"port", fail, fmt.Sprintf("ADDR=%s is not host:port", addr), "ADDR=127.0.0.1:8000 in .env"}
	}
	if listens(addr) {
		return finding{"port", well, addr + " is free", ""}
	}
	if project != nil {
		if dev, err := reload.Ask(ctx, dir); err == nil && dev != nil && strings.HasSuffix(dev.URL, ":"+port) {
			return finding{"port", well, addr + " is served by nexios dev of this project", ""}
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
	return finding{"port", warn, addr + " is in use or not permitted", remedy}
}

// settings returns those of the project's .env; none where there is no file.
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
		return nil, errors.New("settings must be lines of NAME=value") // what the parser says repeats the text
	}
	return file, nil
}

// plainName is of a path that means to every shell what it says.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./-]*$`)

// checkSecrets looks for files with secrets that other users of the machine may
// open: .env, and the files of a SQLite database that is in the project.
// otherwise is the DATABASE_URL that the program has where none is set.
func checkSecrets(project fs.FS, otherwise string) finding {
	if runtime.GOOS == "windows" {
		return finding{"secrets", well, "not checked: Windows has no such permissions", ""}
	}
	names := []string{".env"}
	file, _ := settings(project) // what is wrong with it the port says
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
		if slices.ContainsFunc(open, func(name string) bool { return !plainName.MatchString(name) }) { // a shell might take such a name for more
			remedy = "chmod 600 each of them"
		}
		return finding{"secrets", warn, "other users of this machine can read " + strings.Join(open, ", "), remedy}
	}
	return finding{"secrets", well, "only you can read .env and SQLite's files", ""}
}

func listens(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		l.Close()
	}
	return err == nil
}
