package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexios-go/nexios/scaffold/plan"
)

// TestMain gives the tests their own key.
func TestMain(m *testing.M) {
	if os.Getenv("NEXIOS_CHILD") != "" {
		os.Exit(m.Run())
	}
	home, err := os.MkdirTemp("", "nexios-home-")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		if err := os.Setenv(name, home); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(home) // the system removes leftovers
	os.Exit(code)
}

var moment = time.Date(2026, 11, 21, 10, 15, 0, 0, time.UTC)

// tree is a directory: texts by path, "dir" for directories. It excludes the journal.
type tree map[string]string

func look(t *testing.T, dir string) tree {
	t.Helper()
	got := tree{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if name == UndoDir {
			for _, file := range entries(t, filepath.Join(dir, name)) {
				if strings.HasSuffix(file, ".tmp") {
					t.Errorf("%s is left in the journal", file)
				}
			}
			return fs.SkipDir
		}
		if entry.IsDir() {
			got[name] = "dir"
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		got[name] = content(info.Mode(), string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if holds := slices.DeleteFunc(slices.Collect(maps.Keys(got)), func(name string) bool { return !below(name, ".nexios") }); len(holds) == 1 {
		delete(got, ".nexios") // it contains only the journal
	}
	return got
}

// content describes a file in a tree. Windows has no permissions to compare.
func content(mode fs.FileMode, text string) string {
	if runtime.GOOS == "windows" {
		return strconv.Quote(text)
	}
	return fmt.Sprintf("%v %q", mode, text)
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	return names
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// project writes a small project; posts is a step with operations of every kind on it.
func project(t *testing.T, dir string) {
	t.Helper()
	write(t, dir, "main.go", "package main\n")
	write(t, dir, "run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o775); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "internal/old/deep/old.go", "package old\n")
	write(t, dir, "internal/old/deep/older.go", "package old\n")
	write(t, dir, "internal/kept/a.go", "package kept\n")
	write(t, dir, ".nexios/base/main.go", "package main // base\n")
	write(t, dir, ".nexios/base/internal/old/deep/old.go", "package old\n")
	if err := os.MkdirAll(filepath.Join(dir, "empty/room"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func posts() plan.Plan {
	text := func(s string) []byte { return []byte(s) }
	return plan.New(
		plan.Op{Kind: plan.Update, Path: "main.go", Before: text("package main\n"), After: text("package main\n\nfunc main() {}\n"), Base: text("func main() {}\n")},
		plan.Op{Kind: plan.Update, Path: "run.sh", Before: text("#!/bin/sh\n"), After: text("#!/bin/sh\nexit 0\n")},
		plan.Op{Kind: plan.Create, Path: "internal/posts/posts.go", After: text("package posts\n"), Base: text("package posts\n")},
		plan.Op{Kind: plan.Create, Path: "bin/deep/tool", After: []byte{}, Mode: 0o700},
		plan.Op{Kind: plan.Create, Path: "empty/room/lamp", After: text("light")},
		plan.Op{Kind: plan.Create, Path: ".nexios/runtime/go.mod", After: text("module runtime\n"), Base: text("ignored")},
		plan.Op{Kind: plan.Delete, Path: "internal/old/deep/old.go", Before: text("package old\n")},
		plan.Op{Kind: plan.Delete, Path: "internal/old/deep/older.go", Before: text("package old\n")},
		plan.Op{Kind: plan.Identical, Path: "internal/kept/a.go", Before: text("package kept\n"), After: text("package kept\n"), Base: text("package kept\n")},
		plan.Op{Kind: plan.Note, Path: "main.go", Note: "have a look"},
		plan.Op{Kind: plan.Then, Note: "go mod tidy"},
	)
}

var after = tree{
	"main.go":                              content(0o644, "package main\n\nfunc main() {}\n"),
	"run.sh":                               content(0o775, "#!/bin/sh\nexit 0\n"),
	"internal":                             "dir",
	"internal/posts":                       "dir",
	"internal/posts/posts.go":              content(0o644, "package posts\n"),
	"internal/kept":                        "dir",
	"internal/kept/a.go":                   content(0o644, "package kept\n"),
	"bin":                                  "dir",
	"bin/deep":                             "dir",
	"bin/deep/tool":                        content(0o700, ""),
	"empty":                                "dir",
	"empty/room":                           "dir",
	"empty/room/lamp":                      content(0o644, "light"),
	".nexios":                              "dir",
	".nexios/runtime":                      "dir",
	".nexios/runtime/go.mod":               content(0o644, "module runtime\n"),
	".nexios/base":                         "dir",
	".nexios/base/main.go":                 content(0o644, "func main() {}\n"),
	".nexios/base/internal":                "dir",
	".nexios/base/internal/posts":          "dir",
	".nexios/base/internal/kept":           "dir",
	".nexios/base/internal/posts/posts.go": content(0o644, "package posts\n"),
	".nexios/base/internal/kept/a.go":      content(0o644, "package kept\n"),
}

func equal(t *testing.T, what string, got, want tree) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s is %s, want %s", what, name, got[name], want[name])
		}
	}
	for name := range got {
		if want[name] == "" {
			t.Errorf("%s: unexpected %s: %s", what, name, got[name])
		}
	}
}

func TestApplyAndUndo(t *testing.T) {
	dir := t.TempDir()
	project(t, dir)
	before := look(t, dir)
	result, err := Apply(dir, posts(), Options{Title: "add posts", Time: moment})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "applied", look(t, dir), after)
	if result.Seq != 1 || len(result.Written) != 8 {
		t.Errorf("result %+v", result)
	}
	if again, err := Apply(dir, plan.Plan{}, Options{}); err != nil || again.Seq != 0 {
		t.Errorf("an empty plan: %+v, %v", again, err)
	}

	s, err := UndoPlan(dir)
	if err != nil || s.Title != "add posts" || !s.Time.Equal(moment) {
		t.Fatalf("%+v, %v", s, err)
	}
	var kinds []string
	for _, op := range s.Plan.Ops {
		kinds = append(kinds, string(op.Kind)+" "+op.Path)
	}
	want := []string{"delete .nexios/runtime/go.mod", "delete bin/deep/tool", "delete empty/room/lamp", "create internal/old/deep/old.go",
		"create internal/old/deep/older.go", "delete internal/posts/posts.go", "update main.go", "update run.sh"}
	if !slices.Equal(kinds, want) {
		t.Errorf("undo plan: %q", kinds)
	}
	equal(t, "planned", look(t, dir), after)

	write(t, dir, "internal/kept/a.go", "package kept // mine\n") // another file does not matter
	if _, err := Undo(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	before["internal/kept/a.go"] = content(0o644, "package kept // mine\n")
	equal(t, "undone", look(t, dir), before)
	if _, err := Undo(dir, Options{}); !errors.Is(err, ErrNothing) {
		t.Errorf("a second undo: %v", err)
	}
}

func TestUndoRejectsEditedFiles(t *testing.T) {
	for _, name := range []string{"main.go", "bin/deep/tool", "internal/old/deep/old.go", ".nexios/base/main.go"} {
		dir := t.TempDir()
		project(t, dir)
		if _, err := Apply(dir, posts(), Options{Title: "add posts"}); err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, "mine")
		edited := look(t, dir)
		if s, err := UndoPlan(dir); err != nil || !s.Plan.HasConflicts() {
			t.Errorf("%s: no conflict: %v", name, err)
		}
		if _, err := Undo(dir, Options{}); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		equal(t, name, look(t, dir), edited)
	}
}

func TestUndoKeepsLastSteps(t *testing.T) {
	dir := t.TempDir()
	text := func(i int) []byte { return fmt.Append(nil, i) }
	write(t, dir, "count", "0")
	for i := range Keep + 2 {
		p := plan.New(plan.Op{Kind: plan.Update, Path: "count", Before: text(i), After: text(i + 1)})
		if _, err := Apply(dir, p, Options{}); err != nil {
			t.Fatal(err)
		}
	}
	undone := 0
	for ; ; undone++ {
		if _, err := Undo(dir, Options{}); errors.Is(err, ErrNothing) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if got := look(t, dir)["count"]; undone != Keep || got != content(0o644, "2") {
		t.Errorf("%d steps undone, %s", undone, got)
	}
	if got := entries(t, dir); !slices.Equal(got, []string{"count"}) {
		t.Errorf("left: %q", got)
	}
}

func TestApplyErrors(t *testing.T) {
	file := func(kind plan.Kind, name string) plan.Op { return plan.Op{Kind: kind, Path: name, After: []byte("x")} }
	for _, c := range []struct {
		name string
		op   plan.Op
		is   error
		says string
	}{
		{"conflict", plan.Op{Kind: plan.Conflict, Path: "main.go"}, ErrConflict, "main.go"},
		{"not as planned", plan.Op{Kind: plan.Update, Path: "main.go", Before: []byte("y"), After: []byte("x")}, ErrChanged, "main.go"},
		{"there already", file(plan.Create, "main.go"), ErrChanged, "main.go"},
		{"empty instead of absent", plan.Op{Kind: plan.Update, Path: "none", Before: []byte{}, After: []byte("x")}, ErrChanged, "none"},
		{"up", file(plan.Create, "../x"), nil, "not a path"},
		{"up later", file(plan.Create, "internal/../../x"), nil, "not a path"},
		{"absolute", file(plan.Create, "/tmp/x"), nil, "not a path"},
		{"a drive", file(plan.Create, `C:x`), nil, "not a path"},
		{"a backslash", file(plan.Create, `..\x`), nil, "not a path"},
		{"git's hooks", file(plan.Create, ".git/hooks/post-index-change"), nil, "git's own"},
		{"git's settings, further down", file(plan.Create, "internal/.GIT/config"), nil, "git's own"},
		{"git's folder by its short name", file(plan.Create, "GIT~1/config"), nil, "git's own"},
		{"the journal", file(plan.Create, ".nexios/undo/0009.json"), nil, "reserved for nexios"},
		{"a base", file(plan.Create, ".nexios/base/main.go"), nil, "reserved for nexios"},
		{"a link", file(plan.Update, "link"), nil, "symbolic link"},
		{"below a link", file(plan.Create, "away/x"), nil, "symbolic link"},
		{"a directory", file(plan.Create, "internal"), nil, "not a file"},
		{"below a file", file(plan.Create, "main.go/x"), nil, "not a directory"},
		{"below another", file(plan.Create, "good/x"), nil, "as a directory"},
		{"twice", file(plan.Create, "good"), nil, "twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, elsewhere := t.TempDir(), t.TempDir()
			project(t, dir)
			if strings.HasSuffix(c.name, "a link") {
				for link, target := range map[string]string{"link": "main.go", "away": elsewhere} {
					if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
						t.Skip(err) // Windows requires a privilege that users lack
					}
				}
			}
			_, err := Apply(dir, plan.New(file(plan.Create, "good"), c.op), Options{})
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v %q", err, c.is, c.says)
			}
			for _, link := range []string{"link", "away"} {
				if err := os.Remove(filepath.Join(dir, link)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
			want := t.TempDir()
			project(t, want)
			equal(t, "refused", look(t, dir), look(t, want))
			if names := entries(t, elsewhere); names != nil {
				t.Errorf("written outside: %q", names)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	dir := t.TempDir()
	project(t, dir)
	before := look(t, dir)
	blocked := filepath.Join(dir, "run.sh")
	_, err := Apply(dir, posts(), Options{Step: func(what string) {
		if what == "rename run.sh" { // the last file but one is replaced by a directory
			if err := errors.Join(os.Remove(blocked), os.MkdirAll(filepath.Join(blocked, "x"), 0o755)); err != nil {
				t.Error(err)
			}
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "any nexios command") {
		t.Errorf("got %v", err)
	}
	if r, err := Recover(dir); err == nil || r.String() != "" { // still blocked
		t.Errorf("recovered through a directory: %v", r)
	}
	if err := errors.Join(os.RemoveAll(blocked), os.WriteFile(blocked, []byte("#!/bin/sh\n"), 0o775), os.Chmod(blocked, 0o775)); err != nil {
		t.Fatal(err)
	}
	r, err := Recover(dir)
	if err != nil || r.Outcome != Reverted {
		t.Errorf("%+v, %v", r, err)
	}
	equal(t, "recovered", look(t, dir), before)

	// A temporary failure is rolled back immediately.
	_, err = Apply(dir, posts(), Options{Step: func(what string) {
		if temp, ok := strings.CutPrefix(what, "sync "); ok && strings.HasPrefix(temp, "internal/posts/") {
			if err := os.Remove(filepath.Join(dir, temp)); err != nil {
				t.Error(err)
			}
		}
	}})
	if err == nil || !strings.HasSuffix(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	equal(t, "rolled back", look(t, dir), before)
}

func TestRecoverKeepsEdits(t *testing.T) {
	dir := t.TempDir()
	project(t, dir)
	killed(t, dir, "apply", 50)
	write(t, dir, "main.go", "package main // mine\n")
	r, err := Recover(dir)
	if err != nil || r.Outcome != Reverted || !slices.Equal(r.Kept, []string{"main.go"}) || !strings.Contains(r.String(), "main.go") {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := look(t, dir)["main.go"]; got != content(0o644, "package main // mine\n") {
		t.Errorf("the edited file is now %s", got)
	}
}

// Concurrent commands apply complete steps, one after the other.
func TestConcurrentSteps(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprintf("room%d/file.go", i)
			if _, err := Apply(dir, plan.New(plan.Op{Kind: plan.Create, Path: name, After: []byte("x"), Base: []byte("x")}), Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for range 8 {
		if _, err := Undo(dir, Options{}); err != nil {
			t.Error(err)
		}
	}
	if got := entries(t, dir); got != nil {
		t.Errorf("left: %q", got)
	}
}

// Where there is no project, the lock is removed with its directory, while other commands
// wait for it.
func TestConcurrentLocks(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				if _, err := Undo(dir, Options{}); !errors.Is(err, ErrNothing) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := entries(t, dir); got != nil {
		t.Errorf("left: %q", got)
	}
}

// Undo restores the tree before Apply, for random trees and steps.
func TestUndoRestoresTree(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	names := []string{"a", "b/a", "b/b/a", "b/b/b", "c/a", "c/b/c/d", "d/d/d/d"}
	texts := [][]byte{nil, nil, {}, []byte("one\n"), []byte("two\r\n"), bytes.Repeat([]byte{0, 0xff}, 5000)}
	for range 25 {
		dir := t.TempDir()
		disk := map[string][]byte{}
		for _, name := range names {
			if text := texts[random.IntN(len(texts))]; text != nil {
				disk[name] = text
				write(t, dir, name, string(text))
			} else if random.IntN(2) == 0 {
				if err := os.MkdirAll(filepath.Join(dir, path.Dir(name)), 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
		trees := []tree{look(t, dir)}
		steps := 0
		for range 4 {
			var ops []plan.Op
			for _, name := range names {
				text, base := texts[random.IntN(len(texts))], texts[random.IntN(len(texts))]
				op := plan.Op{Kind: plan.Update, Path: name, Before: disk[name], After: text, Base: base}
				switch {
				case random.IntN(2) == 0:
					continue
				case text == nil && disk[name] == nil:
					continue
				case text == nil:
					op.Kind = plan.Delete
				case disk[name] == nil:
					op.Kind = plan.Create
				}
				disk[name] = text
				ops = append(ops, op)
			}
			result, err := Apply(dir, plan.New(ops...), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if result.Seq > 0 {
				steps++
				trees = append(trees, look(t, dir))
			}
			for name, text := range disk {
				if got, err := os.ReadFile(filepath.Join(dir, name)); text == nil && err == nil || !bytes.Equal(got, text) {
					t.Fatalf("%s is %q, want %q", name, got, text)
				}
			}
		}
		for i := range steps {
			if _, err := Undo(dir, Options{}); err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("undo %d of %d", i+1, steps), look(t, dir), trees[steps-i-1])
		}
		if t.Failed() {
			return
		}
	}
}

func TestNew(t *testing.T) {
	p := plan.New(
		plan.Op{Kind: plan.Create, Path: "main.go", After: []byte("package main\n"), Base: []byte("package main\n")},
		plan.Op{Kind: plan.Create, Path: "bin/run", After: []byte("#!/bin/sh\n"), Mode: 0o755},
	)
	want := tree{"main.go": content(0o644, "package main\n"), "bin": "dir", "bin/run": content(0o755, "#!/bin/sh\n"),
		".nexios": "dir", ".nexios/base": "dir", ".nexios/base/main.go": content(0o644, "package main\n")}

	parent := t.TempDir()
	result, err := New(filepath.Join(parent, "blog"), p, Options{Title: "new blog"})
	if err != nil || len(result.Written) != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	equal(t, "new", look(t, filepath.Join(parent, "blog")), want)
	if got := entries(t, parent); !slices.Equal(got, []string{"blog"}) {
		t.Errorf("next to it: %q", got)
	}
	if _, err := UndoPlan(filepath.Join(parent, "blog")); !errors.Is(err, ErrNothing) {
		t.Errorf("undo of new: %v", err)
	}

	there := t.TempDir() // a directory with files
	write(t, there, "LICENSE", "MIT\n")
	if _, err := New(there, p, Options{Title: "new there"}); err != nil {
		t.Fatal(err)
	}
	want["LICENSE"] = content(0o644, "MIT\n")
	equal(t, "new in a directory", look(t, there), want)
	if _, err := New(there, p, Options{}); !errors.Is(err, ErrChanged) {
		t.Errorf("into another project: %v", err)
	}

	if _, err := New(filepath.Join(parent, "none", "blog"), p, Options{}); err == nil {
		t.Error("no error for a missing parent")
	}
	bad := plan.New(p.Ops[0], plan.Op{Kind: plan.Create, Path: "bin/run/x", After: []byte("x")})
	if _, err := New(filepath.Join(parent, "bad"), bad, Options{}); err == nil {
		t.Error("no error for a file below a file")
	}
	if got := entries(t, parent); !slices.Equal(got, []string{"blog"}) {
		t.Errorf("left next to it: %q", got)
	}
}

func TestRecoverWithoutSteps(t *testing.T) {
	dir := t.TempDir()
	if r, err := Recover(dir); err != nil || r.String() != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if got := entries(t, dir); got != nil {
		t.Errorf("written: %q", got)
	}
	if _, err := UndoPlan(dir); !errors.Is(err, ErrNothing) {
		t.Errorf("undo: %v", err)
	}
}

// fresh is the plan of a new project: only what posts creates.
func fresh() plan.Plan { return plan.New(posts().Of(plan.Create)...) }
