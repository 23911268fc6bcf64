package build

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// Graph is everything the program is built from, as reported by the go command. It is
// immutable once in use: edited returns a new one.
type Graph struct {
	packages []*pkg            // imports before importers
	byPath   map[string]*pkg   // by import path
	files    map[string]source // compiled files that can change, by absolute path
	embeds   map[string][]*pkg // packages that embed a file
	dirs     map[string]*pkg   // packages that can change, by directory
	env      goEnv
	modinfo  string // in the linker's format
	lean     bool   // no package has DWARF
}

// pkg is a package as described by `go list -json`, as far as it is needed.
type pkg struct {
	Dir            string
	ImportPath     string
	Name           string
	Export         string // path of the compiled archive
	Standard       bool
	DefaultGODEBUG string
	GoFiles        []string
	IgnoredGoFiles []string
	CgoFiles       []string
	CFiles         []string
	CXXFiles       []string
	MFiles         []string
	HFiles         []string
	FFiles         []string
	SFiles         []string
	SwigFiles      []string
	SwigCXXFiles   []string
	SysoFiles      []string
	EmbedPatterns  []string
	EmbedFiles     []string
	Imports        []string
	ImportMap      map[string]string
	Module         *struct {
		Main      bool
		GoVersion string
		Dir       string
		Replace   *struct{ Dir, Version string }
	}
	Error      *struct{ Err string }
	DepsErrors []*struct{ Err string }

	exported [sha256.Size]byte // of the export data; zero if not read yet
	ours     bool              // Export is our file, not one in the build cache
}

const listFields = "Dir,ImportPath,Name,Export,Standard,DefaultGODEBUG,GoFiles,IgnoredGoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles," +
	"SwigFiles,SwigCXXFiles,SysoFiles,EmbedPatterns,EmbedFiles,Imports,ImportMap,Module,Error,DepsErrors"

// local reports whether the user can edit the package: it is in the main module, a
// workspace, or a module replaced by a directory.
func (p *pkg) local() bool {
	if p.Standard || p.Module == nil {
		return false
	}
	return p.Module.Main || p.Module.Replace != nil && p.Module.Replace.Version == ""
}

// plain reports whether one run of the compiler builds the package.
func (p *pkg) plain() bool {
	return len(p.CgoFiles)+len(p.CFiles)+len(p.CXXFiles)+len(p.MFiles)+len(p.HFiles)+len(p.FFiles)+
		len(p.SFiles)+len(p.SwigFiles)+len(p.SwigCXXFiles)+len(p.SysoFiles)+len(p.ImportMap) == 0 && p.Module.GoVersion != ""
}

// source is a file as it was compiled.
type source struct {
	pkg  string // import path
	hash [sha256.Size]byte
	head header
}

// header is the part of a Go file that determines how it is built.
type header struct {
	name       string   // of the package
	imports    []string // sorted
	directives string   // all //go: and // +build lines
}

func (h header) equal(o header) bool {
	return h.name == o.name && h.directives == o.directives && slices.Equal(h.imports, o.imports)
}

// headerOf parses the header of a Go file. An error is a syntax error.
func headerOf(name string, text []byte) (header, error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.SkipObjectResolution)
	if err != nil {
		return header{}, err
	}
	h := header{name: f.Name.Name}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return header{}, err
		}
		h.imports = append(h.imports, path)
	}
	slices.Sort(h.imports)
	h.imports = slices.Compact(h.imports)
	var directives strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "//go:") || strings.HasPrefix(line, "// +build") || strings.HasPrefix(line, "//+build") ||
			strings.HasPrefix(line, "//line ") || strings.HasPrefix(line, "//export ") {
			directives.WriteString(line + "\n")
		}
	}
	h.directives = directives.String()
	return h, nil
}

// goEnv is the environment of the go command, as far as it affects builds.
type goEnv struct {
	GOROOT, GOTOOLDIR, GOVERSION, GOOS, GOARCH, GOEXPERIMENT, GOFLAGS, GOWORK, GOMOD, CC string
	GO386, GOAMD64, GOARM, GOARM64, GOMIPS, GOMIPS64, GOPPC64, GORISCV64, GOWASM         string
}

// tools returns the environment for the compiler and the linker.
func (e goEnv) tools() []string {
	return append(os.Environ(),
		"GOROOT="+e.GOROOT, "GOOS="+e.GOOS, "GOARCH="+e.GOARCH, "GOEXPERIMENT="+e.GOEXPERIMENT, "GO386="+e.GO386,
		"GOAMD64="+e.GOAMD64, "GOARM="+e.GOARM, "GOARM64="+e.GOARM64, "GOMIPS="+e.GOMIPS, "GOMIPS64="+e.GOMIPS64,
		"GOPPC64="+e.GOPPC64, "GORISCV64="+e.GORISCV64, "GOWASM="+e.GOWASM)
}

// pie reports whether go build makes position-independent executables by default.
func (e goEnv) pie() bool { return e.GOOS == "windows" || e.GOOS == "darwin" }

// errUnusual is the reason why only the go command can build a program.
type errUnusual string

func (e errUnusual) Error() string { return string(e) }

// snapshot is the state of files before the go command reads them. A file that is
// missing counts as changed when it is next reported.
type snapshot map[string]source

// takeSnapshot reads all Go files in dirs.
func takeSnapshot(dirs []string) snapshot {
	s := snapshot{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // removed since
		}
		for _, entry := range entries {
			if entry.Type().IsRegular() && strings.HasSuffix(entry.Name(), ".go") {
				s.add(filepath.Join(dir, entry.Name()))
			}
		}
	}
	return s
}

func (s snapshot) add(file string) {
	if text, err := os.ReadFile(file); err == nil {
		head, _ := headerOf(file, text) // a file that does not parse has an empty header, and so differs
		s[file] = source{hash: sha256.Sum256(text), head: head}
	}
}

// readGraph lists the packages of the program in dir with the go command, which
// compiles what is missing in its cache with flags. earlier is a snapshot taken before. An
// errUnusual means that only the go command can build the program.
func readGraph(ctx context.Context, s *process.Spawner, dir string, flags []string, earlier snapshot) (*Graph, error) {
	g := &Graph{
		byPath: map[string]*pkg{}, files: map[string]source{},
		embeds: map[string][]*pkg{}, dirs: map[string]*pkg{},
	}
	if err := goJSON(ctx, s, dir, &g.env, "env", "-json"); err != nil {
		return nil, err
	}
	if g.env.GOOS != runtime.GOOS || g.env.GOARCH != runtime.GOARCH {
		return nil, errUnusual("it is built for another system")
	}
	for flag := range strings.FieldsSeq(g.env.GOFLAGS) {
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		if !slices.Contains([]string{"mod", "tags", "p", "buildvcs", "modcacherw", "v"}, name) {
			return nil, errUnusual("GOFLAGS has -" + name)
		}
	}
	args := append([]string{"list", "-deps", "-export", "-json=" + listFields}, flags...)
	if err := goJSON(ctx, s, dir, &g.packages, append(args, ".")...); err != nil {
		return nil, err
	}
	if len(g.packages) == 0 {
		return nil, errUnusual("no packages")
	}
	for _, p := range g.packages {
		g.byPath[p.ImportPath] = p
		switch {
		case p.Error != nil:
			return nil, errors.New(p.Error.Err)
		case len(p.DepsErrors) > 0:
			return nil, errors.New(p.DepsErrors[0].Err)
		case !p.Standard && len(p.CgoFiles) > 0:
			return nil, errUnusual(p.ImportPath + " uses cgo")
		case len(p.SwigFiles)+len(p.SwigCXXFiles) > 0:
			return nil, errUnusual(p.ImportPath + " uses swig")
		}
		if !p.local() {
			continue
		}
		g.dirs[p.Dir] = p
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			head, err := headerOf(file, text)
			if err != nil {
				return nil, err
			}
			if old, ok := earlier[file]; ok && !old.head.equal(head) {
				return nil, errors.New(name + " changed meanwhile")
			}
			g.files[file] = source{p.ImportPath, earlier[file].hash, head}
		}
		for _, name := range p.EmbedFiles {
			file := filepath.Join(p.Dir, filepath.FromSlash(name))
			g.embeds[file] = append(g.embeds[file], p)
		}
	}
	main := g.main()
	if main.Name != "main" {
		return nil, errUnusual("it is not a program")
	}
	if _, err := os.Stat(filepath.Join(main.Dir, "default.pgo")); err == nil {
		return nil, errUnusual("it has a default.pgo")
	}
	return g, nil
}

func (g *Graph) main() *pkg { return g.packages[len(g.packages)-1] }

// Watched returns all directories with changeable files of the program.
func (g *Graph) Watched() []string {
	var dirs []string
	for dir, p := range g.dirs {
		dirs = append(dirs, dir)
		for _, name := range p.EmbedFiles {
			dirs = append(dirs, filepath.Dir(filepath.Join(p.Dir, filepath.FromSlash(name))))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// Below reports whether the directory path contains packages that can change.
func (g *Graph) Below(path string) bool {
	for dir := range g.dirs {
		if Inside(path, dir) {
			return true
		}
	}
	return false
}

// FromDisk reports whether files embedded at path are read from disk during
// development, as those of runtime/pages are.
func (g *Graph) FromDisk(path string) bool {
	found := false
	for dir, p := range g.dirs {
		if len(p.EmbedPatterns) == 0 || !Inside(dir, path) || len(g.embeds[path]) > 0 && !slices.Contains(g.embeds[path], p) {
			continue
		}
		found = true
		if !slices.ContainsFunc(p.Imports, func(i string) bool { return strings.HasSuffix(i, "/runtime/pages") }) {
			return false
		}
	}
	return found
}

// invalidate marks paths as changed while g was read: the archives may contain any of
// their states.
func (g *Graph) invalidate(paths []string) {
	for _, path := range paths {
		if f, ok := g.files[path]; ok {
			f.hash = [sha256.Size]byte{}
			g.files[path] = f
		}
	}
}

// edited returns a copy of g with some packages and files replaced.
func (g *Graph) edited(packages map[string]*pkg, files map[string]source) *Graph {
	n := *g
	n.packages = slices.Clone(g.packages)
	n.byPath = make(map[string]*pkg, len(g.byPath))
	for i, p := range n.packages {
		if q := packages[p.ImportPath]; q != nil {
			n.packages[i] = q
		}
		n.byPath[p.ImportPath] = n.packages[i]
	}
	n.dirs = make(map[string]*pkg, len(g.dirs))
	for dir, p := range g.dirs {
		n.dirs[dir] = n.byPath[p.ImportPath]
	}
	n.files = maps.Clone(g.files)
	maps.Copy(n.files, files)
	n.embeds = make(map[string][]*pkg, len(g.embeds))
	for file, list := range g.embeds {
		for _, p := range list {
			n.embeds[file] = append(n.embeds[file], n.byPath[p.ImportPath])
		}
	}
	return &n
}

// embedConfig returns the compiler's configuration for embedding: the files that each
// pattern matches, and their paths (package embed).
func (p *pkg) embedConfig() ([]byte, error) {
	config := struct {
		Patterns map[string][]string
		Files    map[string]string
	}{map[string][]string{}, map[string]string{}}
	for _, pattern := range p.EmbedPatterns {
		glob, all := strings.CutPrefix(pattern, "all:")
		config.Patterns[pattern] = []string{}
		for _, file := range p.EmbedFiles {
			if embedded(glob, file, all) {
				config.Patterns[pattern] = append(config.Patterns[pattern], file)
				config.Files[file] = filepath.Join(p.Dir, filepath.FromSlash(file))
			}
		}
		if len(config.Patterns[pattern]) == 0 {
			return nil, fmt.Errorf("pattern %s: no matching files found", pattern)
		}
	}
	return json.Marshal(config)
}

// embedded reports whether glob matches file or one of its parent directories; hidden
// files in a directory only match if all is set.
func embedded(glob, file string, all bool) bool {
	if ok, _ := path.Match(glob, file); ok {
		return true
	}
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if ok, _ := path.Match(glob, dir); ok {
			below := strings.Split(strings.TrimPrefix(file, dir+"/"), "/")
			return all || !slices.ContainsFunc(below, func(s string) bool {
				return strings.HasPrefix(s, ".") || strings.HasPrefix(s, "_")
			})
		}
	}
	return false
}

// goJSON runs the go command in dir and decodes its output: one value, or a sequence of
// packages if target is a slice.
func goJSON[T any](ctx context.Context, s *process.Spawner, dir string, target *T, args ...string) error {
	var out strings.Builder
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Stdout = &out
	errs, err := s.Output(cmd)
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, errs)
	}
	d := json.NewDecoder(strings.NewReader(out.String()))
	if list, ok := any(target).(*[]*pkg); ok {
		for {
			var p pkg
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			*list = append(*list, &p)
		}
	}
	return d.Decode(target)
}
