package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates"
)

// mergeDriver is the command that git runs for files with the attribute merge=nexios in
// .gitattributes. Without nexios on the PATH, it falls back to git's own merge.
const mergeDriver = "if command -v nexios >/dev/null; then nexios merge --driver %O %A %B %P; else git merge-file %A %O %B; fi"

func mergeCommand() *cobra.Command {
	var (
		f               changeFlags
		driver, install bool
	)
	cmd := &cobra.Command{
		Use:   "merge",
		Short: "Finish a git merge of branches that both used nexios",
		Long: `Finish a git merge, rebase or cherry-pick of branches that both used nexios: it
makes one project of both sides. nexios.json is merged by its meaning, generated
files are regenerated from the result, and the edits of both branches are merged
into them. Only edits can conflict: then nothing is written, and --markers
writes both texts for you to resolve. A file without markers counts as resolved.

If one branch renamed a resource, the fields, edits, new files and migrations of
the other get the new name first. Relations that only the other branch has keep
their names. Run it after a merge that git finished by itself, too: what one
branch generated may name what the other has renamed. If the result does not
compile, the lines are listed, with exit code 1.

As git's merge driver, nexios does most of that during git merge. New projects
have it; in a clone, set it up once with --install.`,
		Example: "  git merge feature          # conflicts\n  nexios merge\n  git add --all && git commit\n\n  nexios merge --install     # once in a clone",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case driver && len(args) == 4:
				return mergeFile(args[0], args[1], args[2], args[3])
			case driver:
				return &problem.Error{What: "the merge driver needs the names of three files and the path", Try: "nexios merge --install"}
			}
			if err := noArgs(cmd, args); err != nil {
				return err
			}
			if install {
				return installDriver(cmd, f.dir)
			}
			return mergeProject(cmd, f)
		},
	}
	f.add(cmd, projectHelp)
	f.addMarkers(cmd)
	cmd.Flags().BoolVar(&install, "install", false, "set git up to merge this repository's files with nexios")
	cmd.Flags().BoolVar(&driver, "driver", false, "merge one file, as git asks a merge driver to: BASE OURS THEIRS PATH")
	return cmd
}

// installDriver configures the merge driver in the project's repository.
func installDriver(cmd *cobra.Command, dir string) error {
	dir, err := findProject(dir)
	if err != nil {
		return err
	}
	if err := setDriver(cmd.Context(), dir); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "git now merges this repository's files with nexios (see .gitattributes)")
	return nil
}

func setDriver(ctx context.Context, dir string) error {
	for _, set := range [][2]string{{"merge.nexios.driver", mergeDriver}, {"merge.nexios.name", "nexios, by what nexios.json means"}} {
		if out, err := plainGitCommand(ctx, dir, "config", "--local", set[0], set[1]).CombinedOutput(); err != nil {
			return fmt.Errorf("git config: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// mergeFile is the merge driver: it writes the result to ours, and returns an error if
// the result has conflict markers.
func mergeFile(base, ours, theirs, path string) error {
	var s scaffold.Sides
	for name, text := range map[string]*[]byte{base: &s.Base, ours: &s.Ours, theirs: &s.Theirs} {
		var err error
		if *text, err = os.ReadFile(name); err != nil {
			return err
		}
	}
	rel := filepath.ToSlash(path)
	if _, below, ok := strings.Cut("/"+rel, "/"+apply.BaseDir+"/"); ok {
		rel = below
	}
	text, conflict := scaffold.MergeText(filepath.Base(rel), s)
	if err := os.WriteFile(ours, text, 0o644); err != nil {
		return err
	}
	if conflict {
		return &problem.Error{Kind: problem.Failure, What: "both branches changed the same thing", Where: path, Try: "nexios merge"}
	}
	return nil
}

// mergeProject runs nexios merge.
func mergeProject(cmd *cobra.Command, f changeFlags) error {
	folder, dir, err := openFound(cmd, f)
	if err != nil {
		return err
	}
	defer folder.Close()
	catalog, err := templates.Catalog()
	if err != nil {
		return err
	}
	catalog = catalog.Of(folder.Files())
	conflicted, err := unmerged(cmd.Context(), dir, folder.Files())
	if err != nil {
		return err
	}
	trees, renamed, err := treesOf(cmd, dir)
	if err != nil {
		return err
	}
	var p plan.Plan
	var project spec.Project
	if renamed {
		p, project, err = catalog.MergeTrees(folder.Files(), trees)
	} else {
		p, project, err = catalog.Merge(folder.Files(), conflicted)
	}
	if err != nil {
		return err
	}
	if renamed {
		if err := refuseEdited(cmd.Context(), dir, p); err != nil {
			return err
		}
	}
	if project.Nexios != catalog.Version {
		return &problem.Error{
			Kind:  problem.Failure,
			What:  fmt.Sprintf("this project uses nexios %s; you are running nexios %s", project.Nexios, catalog.Version),
			Where: filepath.Join(dir, scaffold.SpecFile), Try: installCommand(project.Nexios),
		}
	}
	check := f.checks()
	f.noCheck = true // files with markers did not compile before, so the check would fail
	err = carryOver(cmd, f, opened{folder, dir, project, catalog}, p, changing{
		title: "merge", next: []string{"git add --all", "go run . migrate up", "go test ./...", "git commit"},
	})
	if err != nil || f.dryRun || f.markers || !check {
		return err
	}
	errs, err := compile(cmd, dir)
	if err != nil || errs == "" || unreachable(errs) {
		return err
	}
	return &problem.Error{
		Kind: problem.Failure, What: "both branches are merged, but do not compile together",
		Label: "errors", Where: strings.Join(errorLines(errs, dir, dir), "\n"), Try: "edit these lines, then git add --all && git commit",
	}
}

// mergedHead returns the ref that git is merging, or "".
func mergedHead(ctx context.Context, dir string) string {
	for _, ref := range []string{"MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"} {
		if _, err := git(ctx, dir, "rev-parse", "--quiet", "--verify", ref); err == nil {
			return ref
		}
	}
	return ""
}

// treesOf returns the files of the commits that git is merging, or of the last merge if
// its result does not compile. renamed reports whether one of the branches renamed a
// resource; otherwise the files are not read.
func treesOf(cmd *cobra.Command, dir string) (trees scaffold.Trees, renamed bool, err error) {
	ctx := cmd.Context()
	base, ours, theirs := "", "HEAD", mergedHead(ctx, dir)
	switch theirs {
	case "":
		ours, theirs = "HEAD^1", "HEAD^2"
		if _, err := git(ctx, dir, "rev-parse", "--quiet", "--verify", theirs); err != nil {
			return trees, false, nil
		}
	case "REBASE_HEAD", "CHERRY_PICK_HEAD":
		base = theirs + "^"
	case "REVERT_HEAD":
		base, theirs = theirs, theirs+"^"
	}
	if base == "" {
		found, err := git(ctx, dir, "merge-base", ours, theirs)
		if err != nil {
			return trees, false, nil // no common ancestor
		}
		base = strings.TrimSpace(string(found))
	}
	revs := []string{base, ours, theirs}
	var names []string
	for _, rev := range revs {
		names = append(names, rev+":./"+scaffold.SpecFile)
	}
	records, err := blobs(ctx, dir, names)
	if err != nil {
		return trees, false, err
	}
	var projects []spec.Project
	for _, name := range names {
		p, err := spec.Parse(records[name])
		if err != nil {
			return trees, false, nil // the merge reports it
		}
		projects = append(projects, p)
	}
	if len(spec.Renamings(projects[0], projects[1]))+len(spec.Renamings(projects[0], projects[2])) == 0 {
		return trees, false, nil
	}
	if theirs == "HEAD^2" {
		if errs, err := compile(cmd, dir); err != nil || errs == "" { // git merged it correctly, or the user has fixed it
			return trees, false, err
		}
	}
	for i, tree := range []*map[string][]byte{&trees.Base, &trees.Ours, &trees.Theirs} {
		if *tree, err = treeOf(ctx, dir, revs[i]); err != nil {
			return trees, false, err
		}
	}
	return trees, true, nil
}

// treeOf returns the files of the project in a commit, without symbolic links and files
// over 1 MiB.
func treeOf(ctx context.Context, dir, rev string) (map[string][]byte, error) {
	out, err := git(ctx, dir, "ls-tree", "-r", "-l", "-z", rev, "--", ".")
	if err != nil {
		return nil, err
	}
	ids := map[string]string{} // by path
	wanted := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		about, path, _ := strings.Cut(line, "\t")
		words := strings.Fields(about) // mode, type, id, size
		if len(words) != 4 || words[1] != "blob" || words[0] == "120000" {
			continue
		}
		if size, err := strconv.Atoi(words[3]); err != nil || size > 1<<20 {
			continue
		}
		ids[path], wanted[words[2]] = words[2], true
	}
	texts, err := blobs(ctx, dir, slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for path, id := range ids {
		files[path] = texts[id]
	}
	return files, nil
}

// refuseEdited rejects a plan that changes files with unstaged edits: the plan starts
// from what git has.
func refuseEdited(ctx context.Context, dir string, p plan.Plan) error {
	list := func(args ...string) ([]string, error) {
		out, err := git(ctx, dir, args...)
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), err
	}
	edited, err := list("diff", "--name-only", "--relative", "-z")
	if err != nil {
		return err
	}
	conflicted, err := list("diff", "--name-only", "--relative", "--diff-filter=U", "-z")
	if err != nil {
		return err
	}
	for _, op := range p.Changes() {
		if slices.Contains(edited, op.Path) && !slices.Contains(conflicted, op.Path) {
			return &problem.Error{Kind: problem.Failure, What: "a file was edited after git merged it", Where: op.Path, Try: "git add " + op.Path + " && git stash && nexios merge && git stash pop"}
		}
	}
	return nil
}

// unmerged returns the files of the project that git could not merge and that are still
// unresolved.
func unmerged(ctx context.Context, dir string, files fs.FS) (map[string]scaffold.Sides, error) {
	out, err := git(ctx, dir, "ls-files", "--unmerged", "-z")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, &problem.Error{Kind: problem.Failure, What: "git was not found on the PATH", Try: "install git: https://git-scm.com"}
	case errors.As(err, new(*exec.ExitError)):
		return nil, &problem.Error{Kind: problem.Failure, What: "this project is not in a git repository, so there is nothing to merge", Where: dir, Try: "git status"}
	case err != nil:
		return nil, err
	}
	names := map[string][3]string{} // of blobs, by path
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		about, path, ok := strings.Cut(line, "\t")
		words := strings.Fields(about)
		if !ok || len(words) != 3 || len(words[2]) != 1 || words[2] < "1" || words[2] > "3" {
			continue
		}
		blob := names[path]
		blob[words[2][0]-'1'] = words[1]
		names[path] = blob
	}
	if len(names) == 0 {
		return nil, nil
	}
	theirs := mergedHead(ctx, dir)
	written := func(path string) (ours, other string) {
		base := apply.BaseDir + "/" + path
		if blob, ok := names[base]; ok {
			return blob[1], blob[2]
		}
		return "HEAD:./" + base, theirs + ":./" + base
	}
	wanted := map[string]bool{}
	for path, blob := range names {
		ours, other := written(path)
		for _, name := range append(blob[:], ours, other) {
			if name != "" && !strings.HasPrefix(name, ":") && !strings.ContainsAny(name, "\n") {
				wanted[name] = true
			}
		}
	}
	texts, err := blobs(ctx, dir, slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	conflicted := map[string]scaffold.Sides{}
	for path, blob := range names {
		ours, other := written(path)
		s := scaffold.Sides{
			Base: texts[blob[0]], Ours: texts[blob[1]], Theirs: texts[blob[2]],
			OursWritten: texts[ours], TheirsWritten: texts[other],
		}
		text, err := fs.ReadFile(files, path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		merged := false
		if path == scaffold.SpecFile && s.Base != nil {
			is, _ := scaffold.MergeText(path, s)
			merged = merge.Same(is, text) // merged by the driver
		}
		if s.Ours == nil || s.Theirs == nil || hasMarkers(text) || merged {
			conflicted[path] = s
		}
	}
	return conflicted, nil
}

// hasMarkers reports whether a text contains conflict markers.
func hasMarkers(text []byte) bool {
	index := func(mark string) int {
		if bytes.HasPrefix(text, []byte(mark)) {
			return 0
		}
		return bytes.Index(text, []byte("\n"+mark))
	}
	begin, middle, end := index("<<<<<<< "), index("=======\n"), index(">>>>>>> ")
	if middle < 0 {
		middle = index("=======\r\n")
	}
	return begin >= 0 && middle > begin && end > middle
}
