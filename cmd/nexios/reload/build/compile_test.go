package build

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

var randomEdits = flag.Int("edits", 30, "random edits to compare with go build; 200 before a release")

// world is a project of several packages with everything that could make a build wrong:
// inlining across packages, constants, struct layouts, generics, line numbers, embedded
// files, initialisation order.
type world struct {
	constant, body, inlined, generic int
	private                          int // in a function that is not inlined
	fields, shift, extra, tag        int
	strings, embedMore, argument     bool
	method, unused                   bool
	embed                            string
	debug                            int
}

func (w world) files() map[string]string {
	imports, use := "", `"-"`
	if w.strings {
		imports, use = "import \"strings\"\n\n", `strings.ToUpper("on")`
	}
	parameter, call := "", ""
	if w.argument {
		parameter, call = "n int", "7"
	}
	var fields, lines strings.Builder
	for i := range w.fields {
		fmt.Fprintf(&fields, "\tF%d int64\n", i)
	}
	for range w.shift {
		lines.WriteString("// moved\n")
	}
	method := ""
	if w.method {
		method = "\nfunc (Thing) String() string { return \"a thing\" }\n"
	}
	files := map[string]string{
		"go.mod": "module sample\n\ngo 1.24\n",
		"low/low.go": fmt.Sprintf(`// Package low is imported by all other packages.
package low

%s%s// Constant is folded into importers.
const Constant = %d

// Thing has a size that importers know.
type Thing struct {
	Name string
%s}

// Small is inlined into importers.
func Small(%s) int { return %d }

// Large is not.
//
//go:noinline
func Large(n int) int {
	for i := range 3 {
		n += i * %d
	}
	return n
}

// Map is instantiated by importers.
func Map[T any](list []T, f func(T) T) []T {
	for i := range list {
		list[i] = f(list[i])
	}
	return list[:min(len(list), %d)]
}

// Word is of the standard library, or not.
func Word() string { return %s }
%s`, imports, lines.String(), w.constant, fields.String(), parameter, w.inlined, w.private, w.generic, use, method),
		"mid/mid.go": fmt.Sprintf(`package mid

import (
	"runtime"
	"unsafe"

	"sample/low"
)

// Order is set before main runs.
var Order = low.Large(%d)

// Sum can be inlined, with what it calls.
func Sum() int { return low.Small(%s) + low.Constant }

// Size is that of a type of another package.
const Size = unsafe.Sizeof(low.Thing{})

// Line is where this is.
func Line() int {
	_, _, line, _ := runtime.Caller(0)
	return line
}
`, w.body, call),
		"top/top.go": `package top

import (
	"sample/low"
	"sample/mid"
)

// All uses low directly and through mid.
func All() []int {
	return low.Map([]int{mid.Sum(), int(mid.Size), mid.Line(), mid.Order}, func(n int) int { return n + low.Constant })
}
`,
		"page/page.go":      "package page\n\nimport _ \"embed\"\n\n//go:embed text/one.txt\nvar One string\n\nfunc Length() int { return len(One) + " + fmt.Sprint(w.body) + " }\n",
		"page/text/one.txt": w.embed,
		"page/all.go":       "package page\n\nimport \"embed\"\n\n//go:embed text\nvar All embed.FS\n",
		"top/tag.go":        "package top\n\nconst Tagged = false\n",
		"top/tag_not.go":    "//go:build never\n\npackage top\n\nconst Never = true\n",
		"main.go": `package main

import (
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"sample/low"
	"sample/mid"
	"sample/page"
	"sample/top"
)

func main() {
	fmt.Println(top.All(), mid.Sum(), mid.Size, mid.Line(), low.Word(), top.Tagged, page.One, page.Length())
	fmt.Printf("%v %+v\n", low.Thing{Name: "x"}, low.Thing{Name: "x"})
	names, _ := fs.Glob(page.All, "text/*")
	fmt.Println(names)
	info, _ := debug.ReadBuildInfo()
	fmt.Println(info.Main.Path, info.GoVersion, info.Settings)
	fmt.Println(os.Args[1:])
}
`,
	}
	if w.debug > 0 {
		files["main.go"] = fmt.Sprintf("//go:debug http2client=%d\n", w.debug%2) + files["main.go"]
	}
	if w.embedMore {
		files["page/text/two.txt"] = "two"
		files["page/text/_hidden.txt"] = "hidden"
	}
	if w.extra > 0 {
		files["mid/extra.go"] = fmt.Sprintf("package mid\n\nfunc init() { Order += %d }\n", w.extra)
	}
	if w.tag%3 == 1 {
		files["top/tag.go"] = "//go:build !never\n\n" + files["top/tag.go"]
	}
	if w.tag%3 == 2 {
		files["top/tag.go"] = "//go:build never\n\n" + files["top/tag.go"]
		files["top/tag_not.go"] = "//go:build !never\n\npackage top\n\nconst Tagged = true\n"
	}
	if w.unused {
		files["other/other.go"] = "package other // not imported\n"
	}
	return files
}

// edit makes a random change, or a few.
func (w world) edit(r *rand.Rand) world {
	for more := true; more; more = r.IntN(4) == 0 {
		n := r.IntN(1000)
		switch r.IntN(16) {
		case 0:
			w.constant = n
		case 1:
			w.body = n
		case 2, 3:
			w.private = n
		case 4, 5:
			w.inlined = n
		case 6:
			w.generic = n % 5
		case 7:
			w.fields = n % 4
		case 8:
			w.shift = n % 5
		case 9:
			w.extra = n % 2 * n
		case 10:
			w.tag = n
		case 11:
			w.strings = !w.strings
		case 12:
			w.embed = fmt.Sprint("text ", n)
		case 13:
			w.embedMore = !w.embedMore
		case 14:
			w.argument = !w.argument
			w.method = n%2 == 0
		case 15:
			w.unused = !w.unused
			w.debug = n % 3
		}
	}
	return w
}

// write changes the files in dir from before to files and returns the paths that
// changed.
func write(t *testing.T, dir string, before, files map[string]string) []string {
	t.Helper()
	var paths []string
	for name, text := range files {
		if old, ok := before[name]; ok && old == text {
			continue
		}
		path := filepath.Join(dir, name)
		paths = append(paths, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name := range before {
		if _, ok := files[name]; !ok {
			path := filepath.Join(dir, name)
			paths = append(paths, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Sort(paths)
	return paths
}

func output(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.Command(binary, "argument").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// newTestBuilder returns a builder for the program in dir.
func newTestBuilder(t *testing.T, dir string) *Builder {
	t.Helper()
	spawn, err := process.NewSpawner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(spawn.Close)
	b := &Builder{compiler: compiler{spawn: spawn, dir: dir, state: t.TempDir()}}
	b.dirs = func() (dirs []string) {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return dirs
	}
	t.Cleanup(func() { b.Forget() })
	return b
}

// waitForIndex waits for the graph of packages without DWARF.
func (b *Builder) waitForIndex(t *testing.T) {
	t.Helper()
	b.Improve(t.Context(), func(*Graph) {})
	for deadline := time.Now().Add(3 * time.Minute); ; {
		b.mu.Lock()
		g, indexing, warming, why := b.graph, b.indexing, b.warming, b.why
		b.mu.Unlock()
		switch {
		case g != nil && g.lean:
			return
		case indexing != nil:
			<-indexing.done
		case warming != nil:
			<-warming.done
		case time.Now().After(deadline):
			t.Fatal("no graph: ", why)
		default:
			time.Sleep(time.Millisecond) // between two background jobs
		}
	}
}

// builtWorld returns a world that b has built in dir.
func builtWorld(t *testing.T) (dir string, w world, files map[string]string, b *Builder) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w = world{constant: 1, body: 2, inlined: 3, generic: 4, fields: 1, embed: "text"}
	files = w.files()
	write(t, dir, nil, files)
	b = newTestBuilder(t, dir)
	if _, err := b.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return dir, w, files, b
}

// The result of a build is always what go build would have built.
func TestBuildEqualsGoBuild(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	dir, w, files, b := builtWorld(t)
	b.waitForIndex(t)
	modes := map[string]int{}
	var pending []string
	for i := range *randomEdits {
		w = w.edit(r)
		next := w.files()
		paths := write(t, dir, files, next)
		files = next
		if r.IntN(8) == 0 { // with an intermediate state that does not compile
			path := filepath.Join(dir, "mid", "mid.go")
			if err := os.WriteFile(path, []byte(files["mid/mid.go"]+"\nvar broken = nothing\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
			res, err := b.Build(t.Context(), append(pending, paths...))
			if err != nil || len(res.Errors) != 1 || res.Errors[0].File != "mid/mid.go" || res.Errors[0].Source != "var broken = nothing" {
				t.Fatalf("edit %d: a broken file gave %+v, %v", i, res, err)
			}
			if err := os.WriteFile(path, []byte(files["mid/mid.go"]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		res, err := b.Build(t.Context(), append(pending, paths...))
		if err != nil || res.Failed() {
			t.Fatalf("edit %d: %+v, %v", i, res, err)
		}
		modes[res.Mode]++
		reference := filepath.Join(t.TempDir(), "reference"+process.ExeSuffix)
		cmd := exec.Command("go", append(append([]string{"build", "-o", reference}, leanFlags...), ".")...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("edit %d: %v\n%s", i, err, out)
		}
		got, want := withoutFlagSettings(output(t, res.Binary)), withoutFlagSettings(output(t, reference))
		if got != want {
			t.Fatalf("edit %d (%s, %v): got\n%s\nwant\n%s", i, res.Mode, paths, got, want)
		}
		// The next edit comes once there is an index, or at any moment while it is
		// made, and is built with or without it.
		if r.IntN(2) == 0 {
			b.waitForIndex(t)
			continue
		}
		b.patience = time.Duration(r.IntN(4)/3) * indexPatience
		b.Improve(t.Context(), func(*Graph) {})
		time.Sleep(time.Duration(r.IntN(150)) * time.Millisecond)
	}
	t.Logf("modes: %v", modes)
	if modes[event.ModeFast] == 0 {
		t.Error("all builds used the go command")
	}
}

// withoutFlagSettings removes the one permitted difference: the first binary, whose build
// information later ones inherit, may have been built with the shared flags.
func withoutFlagSettings(s string) string {
	return strings.ReplaceAll(s, " {-gcflags all=-dwarf=false}", "")
}

// Only changed packages are compiled, and the go command is used only in doubtful
// cases.
func TestFastBuilds(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	start := world{constant: 1, body: 2, inlined: 3, generic: 4, fields: 1, embed: "text"}
	files := start.files()
	write(t, dir, nil, files)
	b := newTestBuilder(t, dir)
	if _, err := b.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.waitForIndex(t)
	for _, test := range []struct {
		name     string
		change   func(*world)
		packages string // compiled by us; empty: by the go command
	}{
		{"a body that is not inlined", func(w *world) { w.private = 50 }, "sample/low"},
		{"an inlined body", func(w *world) { w.inlined = 60 }, "sample/low sample/mid sample/top sample"},
		{"a standard import that is linked already", func(w *world) { w.strings = true }, "sample/low sample/mid sample/top sample"},
		{"the text of an embedded file", func(w *world) { w.embed = "other" }, "sample/page"},
		{"a new file", func(w *world) { w.extra = 5 }, ""},
		{"a build tag", func(w *world) { w.tag = 1 }, ""},
		{"a new embedded file", func(w *world) { w.embedMore = true }, ""},
		{"a debug setting", func(w *world) { w.debug = 1 }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.change(&start)
			next := start.files()
			paths := write(t, dir, files, next)
			files = next
			res, err := b.Build(t.Context(), paths)
			if err != nil || res.Failed() {
				t.Fatalf("%+v, %v", res, err)
			}
			slices.Sort(res.Packages)
			want := strings.Fields(test.packages)
			slices.Sort(want)
			if !slices.Equal(res.Packages, want) || (test.packages == "") != (res.Mode == event.ModeFull) {
				t.Errorf("compiled %v by %s (%s), want %v", res.Packages, res.Mode, res.Why, want)
			}
			b.waitForIndex(t)
		})
	}
	t.Run("a package that is not imported", func(t *testing.T) {
		start.unused = true
		next := start.files()
		paths := write(t, dir, files, next)
		res, err := b.Build(t.Context(), paths)
		if err != nil || !res.Same {
			t.Errorf("%+v, %v: want the same program", res, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start.body = 77
		paths := write(t, dir, files, start.files())
		if _, err := b.Build(ctx, paths); err == nil {
			t.Error("a cancelled build succeeded")
		}
	})
}

func TestEmbedded(t *testing.T) {
	for _, test := range []struct {
		glob, file string
		all, want  bool
	}{
		{"text", "text/one.txt", false, true},
		{"text", "text/deep/one.txt", false, true},
		{"text", "text/_one.txt", false, false},
		{"text", "text/_one.txt", true, true},
		{"text", "text/.git/one", false, false},
		{"text/*", "text/_one.txt", false, true},
		{"*.txt", "one.txt", false, true},
		{"*.txt", "text/one.txt", false, false},
		{"*", "text/one.txt", false, true},
		{"te?t/*.txt", "text/one.txt", false, true},
	} {
		if got := embedded(test.glob, test.file, test.all); got != test.want {
			t.Errorf("embedded(%q, %q, %v) = %v", test.glob, test.file, test.all, got)
		}
	}
}

// An edit during indexing is built without the index, and the index is usable for the
// next edit, whichever state of the edited file it has read.
func TestEditWhileIndexing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the index is delayed by a shell script")
	}
	dir, w, files, b := builtWorld(t)
	b.patience = 0

	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n%q \"$@\"\nstatus=$?\nif [ \"$1\" = list ]; then\n\t: >%[2]q/read\n\twhile [ ! -e %[2]q/go-on ]; do sleep 0.01; done\nfi\nexit $status\n", goTool, bin)
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	b.Improve(t.Context(), func(*Graph) {})
	b.mu.Lock()
	indexing := b.indexing
	b.mu.Unlock()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(bin, "read")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("indexing did not start")
		}
	}
	edit := func(change func(*world)) Result {
		t.Helper()
		change(&w)
		paths := write(t, dir, files, w.files())
		files = w.files()
		res, err := b.Build(t.Context(), paths)
		if err != nil || res.Failed() {
			t.Fatalf("%+v, %v", res, err)
		}
		return res
	}
	if res := edit(func(w *world) { w.private = 50 }); res.Mode != event.ModeFull {
		t.Errorf("built by %s", res.Mode)
	}
	if err := os.WriteFile(filepath.Join(bin, "go-on"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-indexing.done
	res := edit(func(w *world) { w.embed = "other" })
	if res.Mode != event.ModeFast {
		t.Errorf("built by %s: %s", res.Mode, res.Why)
	}
	reference := filepath.Join(t.TempDir(), "reference")
	cmd := exec.Command(goTool, append(append([]string{"build", "-o", reference}, sharedFlags...), ".")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := output(t, res.Binary), output(t, reference); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
