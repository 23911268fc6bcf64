package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"go/version"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// edit is the effect of changed files on a graph.
type edit struct {
	files       map[string]source // current state
	packages    map[string]*pkg   // to compile, with their current imports
	syntaxError bool              // a file does not parse: the compiler must reject it
}

// errDoubt is the reason why an edit is left to the go command.
type errDoubt string

func (e errDoubt) Error() string { return string(e) }

// plan returns what must be compiled because paths changed. It returns an errDoubt for
// anything that could change which files and packages the program consists of.
func (g *Graph) plan(paths []string) (edit, error) {
	e := edit{files: map[string]source{}, packages: map[string]*pkg{}}
	for _, path := range paths {
		switch filepath.Base(path) {
		case "go.mod", "go.sum", "go.work", "go.work.sum", "modules.txt", "default.pgo":
			return e, errDoubt(filepath.Base(path) + " changed")
		}
		text, err := os.ReadFile(path)
		old, compiled := g.files[path]
		switch {
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return e, errDoubt(filepath.Base(path) + " cannot be read")
		case compiled && err != nil:
			return e, errDoubt(filepath.Base(path) + " is gone")
		case compiled:
			if err := e.addFile(g, path, text, old); err != nil {
				return e, err
			}
		case len(g.embeds[path]) > 0:
			if err != nil {
				return e, errDoubt(filepath.Base(path) + " is gone")
			}
			for _, p := range g.embeds[path] {
				e.dirty(p)
			}
		case strings.HasSuffix(path, "_test.go"):
		case g.dirs[filepath.Dir(path)] != nil && IsSource(path):
			return e, errDoubt(filepath.Base(path) + " is new or gone")
		case err != nil && g.Below(path):
			return e, errDoubt(filepath.Base(path) + " is gone")
		case g.mayEmbed(path):
			return e, errDoubt(filepath.Base(path) + " may be embedded")
		}
		// Any other file is in no package of the program, and stays out of it until one
		// that is in it changes.
	}
	for _, p := range e.packages {
		if !p.plain() {
			return e, errDoubt(p.ImportPath + " is not Go alone")
		}
	}
	return e, nil
}

// IsSource reports whether a file of that name can be part of a package.
func IsSource(name string) bool {
	switch filepath.Ext(name) {
	case ".go", ".s", ".S", ".sx", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90", ".swig", ".swigcxx", ".syso":
		return true
	}
	return false
}

// mayEmbed reports whether path is where a package embeds files.
func (g *Graph) mayEmbed(path string) bool {
	for dir, p := range g.dirs {
		if len(p.EmbedPatterns) > 0 && Inside(dir, path) {
			return true
		}
	}
	return false
}

// Concerns reports whether a package embeds the file at path, or may.
func (g *Graph) Concerns(path string) bool { return len(g.embeds[path]) > 0 || g.mayEmbed(path) }

// dirty marks p for compilation.
func (e *edit) dirty(p *pkg) *pkg {
	if e.packages[p.ImportPath] == nil {
		e.packages[p.ImportPath] = new(*p)
	}
	return e.packages[p.ImportPath]
}

func (e *edit) addFile(g *Graph, path string, text []byte, old source) error {
	now := source{old.pkg, sha256.Sum256(text), old.head}
	if now.hash == old.hash {
		return nil
	}
	p := e.dirty(g.byPath[old.pkg])
	e.files[path] = now
	head, err := headerOf(path, text)
	if err != nil {
		e.syntaxError = true
		return nil
	}
	if head.name != old.head.name || head.directives != old.head.directives {
		return errDoubt("the package clause or a directive changed")
	}
	if slices.Equal(head.imports, old.head.imports) {
		return nil
	}
	for _, importPath := range difference(head.imports, old.head.imports) {
		// Packages of the standard library do not import the program's packages, so any
		// package can import one that is already linked.
		q := g.byPath[importPath]
		if q == nil || !q.Standard || slices.Contains(strings.Split(importPath, "/"), "internal") || importPath == "embed" {
			return errDoubt("the import of " + importPath + " changed")
		}
	}
	now.head = head
	e.files[path] = now
	var all []string
	for _, name := range p.GoFiles {
		file := filepath.Join(p.Dir, name)
		f, ok := e.files[file]
		if !ok {
			f = g.files[file]
		}
		all = append(all, f.head.imports...)
	}
	slices.Sort(all)
	p.Imports = slices.Compact(all)
	return nil
}

// difference returns the elements that are in only one of two sorted lists.
func difference(a, b []string) []string {
	var d []string
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); !ok {
			d = append(d, s)
		}
	}
	for _, s := range b {
		if _, ok := slices.BinarySearch(a, s); !ok {
			d = append(d, s)
		}
	}
	return d
}

// errCompile is the output of the compiler for invalid source.
type errCompile string

func (e errCompile) Error() string { return string(e) }

// compiler compiles single packages and links them.
type compiler struct {
	spawn *process.Spawner
	dir   string // of the main package; file names in messages are relative to it
	state string // directory for archives
	debug bool   // compile as with debugFlags
	count atomic.Int64
}

// compile compiles the packages of e, and their importers as far as the export data
// they see has changed. It returns the graph with the new archives.
func (c *compiler) compile(ctx context.Context, g *Graph, e edit) (*Graph, []string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type work struct {
		pkg     *pkg          // as it is now
		old     *pkg          // as it was before
		done    chan struct{} // closed when pkg.Export is up to date
		changed bool          // its export data changed; read after done
		built   bool
		err     error
	}
	// Everything that may have to be compiled: the packages of the edit and their
	// direct and indirect importers, imports first.
	jobs := map[string]*work{}
	var order []*work
	for _, p := range g.packages {
		now := e.packages[p.ImportPath]
		affected := now != nil || slices.ContainsFunc(p.Imports, func(i string) bool { return jobs[i] != nil })
		if !affected {
			continue
		}
		if now == nil {
			now = new(*p)
		}
		w := &work{pkg: now, old: p, done: make(chan struct{})}
		jobs[p.ImportPath] = w
		order = append(order, w)
	}
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for _, w := range order {
		group.Go(func() {
			defer close(w.done)
			need := e.packages[w.pkg.ImportPath] != nil
			for _, path := range w.pkg.Imports {
				if dep := jobs[path]; dep != nil {
					<-dep.done
					need = need || dep.changed
				}
			}
			if !need || ctx.Err() != nil {
				return
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			find := func(path string) *pkg {
				if dep := jobs[path]; dep != nil {
					return dep.pkg
				}
				return g.byPath[path]
			}
			w.built = true
			if w.err = c.compilePackage(ctx, g.env, w.pkg, find); w.err != nil {
				cancel()
				return
			}
			if w.old.exported == ([sha256.Size]byte{}) {
				w.old.exported, w.err = exportHash(w.old.Export)
			}
			if w.err == nil {
				w.pkg.exported, w.err = exportHash(w.pkg.Export)
			}
			w.changed = w.pkg.exported != w.old.exported
		})
	}
	group.Wait()
	packages := map[string]*pkg{}
	var names []string
	var firstErr error
	for _, w := range order {
		if _, isCompileErr := errors.AsType[errCompile](w.err); isCompileErr || w.err != nil && firstErr == nil {
			firstErr = w.err
		}
		if w.built {
			packages[w.pkg.ImportPath] = w.pkg
			names = append(names, w.pkg.ImportPath)
		}
	}
	if firstErr != nil {
		return nil, names, firstErr
	}
	if err := context.Cause(ctx); err != nil {
		return nil, names, err
	}
	return g.edited(packages, e.files), names, nil
}

// compilePackage compiles p to a new archive, like `go build` with leanFlags or
// debugFlags.
func (c *compiler) compilePackage(ctx context.Context, env goEnv, p *pkg, find func(string) *pkg) error {
	base := filepath.Join(c.state, "pkg-"+strconv.FormatInt(c.count.Add(1), 10))
	var config strings.Builder
	for _, path := range p.Imports {
		if path == "unsafe" {
			continue
		}
		dep := find(path)
		if dep == nil || dep.Export == "" {
			return errDoubt("no archive of " + path)
		}
		fmt.Fprintf(&config, "packagefile %s=%s\n", path, dep.Export)
	}
	if err := os.WriteFile(base+".cfg", []byte(config.String()), 0o600); err != nil {
		return err
	}
	defer os.Remove(base + ".cfg")
	name := p.ImportPath
	if p.Name == "main" {
		name = "main"
	}
	args := []string{
		"-o", base + ".a", "-p", name, "-lang=" + version.Lang("go"+p.Module.GoVersion), "-complete", "-buildid", "nexios/nexios",
		"-goversion", env.GOVERSION, "-c=" + strconv.Itoa(min(runtime.GOMAXPROCS(0), 4)), "-nolocalimports", "-importcfg", base + ".cfg", "-pack",
	}
	if c.debug {
		args = append(args, "-N", "-l")
	} else {
		args = append(args, "-dwarf=false")
	}
	if env.GOOS == "darwin" {
		args = append(args, "-shared")
	}
	if len(p.EmbedPatterns) > 0 {
		embeds, err := p.embedConfig()
		if err != nil {
			return errDoubt(err.Error())
		}
		if err := os.WriteFile(base+".embed", embeds, 0o600); err != nil {
			return err
		}
		defer os.Remove(base + ".embed")
		args = append(args, "-embedcfg", base+".embed")
	}
	for _, file := range p.GoFiles {
		file = filepath.Join(p.Dir, file)
		if Inside(c.dir, file) {
			file = "./" + Relative(c.dir, file)
		}
		args = append(args, file)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(env.GOTOOLDIR, "compile"), args...)
	cmd.Dir = c.dir
	cmd.Env = append(env.tools(), "PWD="+c.dir)
	out, err := c.spawn.Output(cmd)
	if err != nil {
		_ = os.Remove(base + ".a")
		if ctx.Err() == nil && out != "" {
			return errCompile(out)
		}
		return err
	}
	p.Export, p.ours = base+".a", true
	return nil
}

// link links the program of g, like `go build` with leanFlags or debugFlags.
func (c *compiler) link(ctx context.Context, g *Graph, binary string) (string, error) {
	var config strings.Builder
	for _, p := range g.packages {
		if p.Export != "" {
			fmt.Fprintf(&config, "packagefile %s=%s\n", p.ImportPath, p.Export)
		}
	}
	if g.modinfo != "" {
		fmt.Fprintf(&config, "modinfo %q\n", g.modinfo)
	}
	cfg := binary + ".cfg"
	if err := os.WriteFile(cfg, []byte(config.String()), 0o600); err != nil {
		return "", err
	}
	defer os.Remove(cfg)
	mode := "exe"
	if g.env.pie() {
		mode = "pie"
	}
	args := []string{"-o", binary, "-importcfg", cfg, "-buildmode=" + mode, "-buildid=nexios/" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	if !c.debug {
		args = append(args, "-s", "-w")
	}
	if debug := g.main().DefaultGODEBUG; debug != "" {
		args = append(args, "-X=runtime.godebugDefault="+debug)
	}
	if g.env.CC != "" {
		args = append(args, "-extld="+g.env.CC)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(g.env.GOTOOLDIR, "link"), append(args, g.main().Export)...)
	cmd.Dir = c.dir
	cmd.Env = g.env.tools()
	return c.spawn.Output(cmd)
}

// exportHash returns a hash of what importers of an archive see of it: its __.PKGDEF
// member without the build ID, which differs in every compilation.
func exportHash(archive string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(archive)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	head := make([]byte, 8+60)
	if _, err := io.ReadFull(f, head); err != nil {
		return sum, err
	}
	if string(head[:8]) != "!<arch>\n" || !bytes.HasPrefix(head[8:], []byte("__.PKGDEF")) {
		return sum, errDoubt(filepath.Base(archive) + " is not the archive it should be")
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(head[8+48:8+58])), 10, 64)
	if err != nil {
		return sum, err
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return sum, err
	}
	start := bytes.Index(data, []byte("\nbuild id \""))
	end := bytes.Index(data, []byte("\n\n$$B\n"))
	if start < 0 || end < start {
		return sum, errDoubt(filepath.Base(archive) + " has no build id")
	}
	h := sha256.New()
	h.Write(data[:start])
	h.Write(data[end:])
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// Markers of cmd/go/internal/modload.
const (
	infoStart = "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6"
	infoEnd   = "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2"
)

// modinfo returns what runtime/debug.ReadBuildInfo finds in a binary, in the form that
// the linker accepts.
func modinfo(binary string) (string, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", err
	}
	text := info.String()
	// The go line comes from the runtime: it is not part of the linker's input.
	if strings.HasPrefix(text, "go\t") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return infoStart + text + infoEnd, nil
}

// sweep removes our archives that g no longer uses.
func (c *compiler) sweep(g *Graph) {
	used := map[string]bool{}
	for _, p := range g.byPath {
		if p.ours {
			used[p.Export] = true
		}
	}
	found, _ := filepath.Glob(filepath.Join(c.state, "pkg-*.a")) // the pattern is valid
	for _, file := range found {
		if !used[file] {
			_ = os.Remove(file)
		}
	}
}
