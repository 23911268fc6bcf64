package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// sharedFlags are used until all packages are compiled without DWARF, leanFlags from
// then on, and debugFlags for Delve, which needs DWARF and code without optimisations.
// The revision is not stamped: that runs git and is of no use during development.
var (
	sharedFlags = []string{"-buildvcs=false", "-ldflags=-s -w"}
	leanFlags   = []string{"-buildvcs=false", "-ldflags=-s -w", "-gcflags=all=-dwarf=false"}
	debugFlags  = []string{"-buildvcs=false", "-gcflags=all=-N -l"}
)

// Builder builds the program in the shortest way that gives the same result as `go
// build`.
type Builder struct {
	compiler
	// Progress is called every second during a build by the go command; it may be nil.
	Progress func(Progress)

	dirs     func() []string // directories to snapshot before a full build
	patience time.Duration   // how long a build waits for an index

	// Used by the current build, and by Improve between builds.
	count  int
	before snapshot          // of the files before the last full build
	binary string            // the latest
	sum    [sha256.Size]byte // of binary, if go build built it

	mu       sync.Mutex
	graph    *Graph // nil until the index is complete
	why      string // why graph is nil
	building bool
	indexing *background
	missed   []string // files changed while indexing: the index may have read any of their states
	warm     bool     // all packages are compiled without DWARF
	warming  *background
}

// New returns a builder of the program in dir, which keeps its output in state. dirs
// returns the directories to snapshot before a full build.
func New(spawn *process.Spawner, dir, state string, debug bool, dirs func() []string) *Builder {
	return &Builder{compiler: compiler{spawn: spawn, dir: dir, state: state, debug: debug}, dirs: dirs, patience: indexPatience}
}

// background is work that runs concurrently with builds.
type background struct {
	cancel  context.CancelFunc
	done    chan struct{}
	started time.Time
}

func inBackground(ctx context.Context) (context.Context, *background) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, &background{cancel, make(chan struct{}), time.Now()}
}

// end cancels the work, if any, and waits for it.
func (w *background) end() {
	if w != nil {
		w.cancel()
		<-w.done
	}
}

// Result is the result of a build.
type Result struct {
	event.Build
	Binary string
	Same   bool // the program is unchanged
}

// Failed reports whether the build failed.
func (r Result) Failed() bool { return r.Stage != "" }

// Build builds the program as it is now; paths are the files that may have changed
// since the last successful build. An error means that the build was cancelled or could
// not run.
func (b *Builder) Build(ctx context.Context, paths []string) (Result, error) {
	b.mu.Lock()
	b.building = true
	if b.indexing != nil {
		b.missed = append(b.missed, paths...)
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.building = false
		b.mu.Unlock()
	}()
	g, why := b.awaitGraph(ctx)
	if g == nil {
		return b.full(ctx, why)
	}
	b.mu.Lock()
	paths = slices.Concat(paths, b.missed)
	b.mu.Unlock()
	r, err := b.fast(ctx, g, paths)
	if err == nil {
		return r, nil
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	return b.full(ctx, err.Error())
}

// awaitGraph returns the graph, waiting up to b.patience if one is being made.
func (b *Builder) awaitGraph(ctx context.Context) (*Graph, string) {
	b.mu.Lock()
	g, running := b.graph, b.indexing
	b.mu.Unlock()
	if g != nil || running == nil {
		return g, b.reason()
	}
	// Most indexes are complete sooner than a build without one.
	select {
	case <-running.done:
	case <-time.After(max(0, b.patience-time.Since(running.started))):
	case <-ctx.Done():
	}
	return b.Current(), b.reason()
}

// indexPatience is how long builds wait for an index. If it takes longer, the build
// runs without it; a user who saves often would otherwise never get one.
const indexPatience = time.Second

func (b *Builder) reason() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// Current returns the current graph, or nil.
func (b *Builder) Current() *Graph {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.graph
}

// Forget cancels background work and drops the graph.
func (b *Builder) Forget() {
	b.mu.Lock()
	running, warming := b.indexing, b.warming
	b.mu.Unlock()
	running.end()
	warming.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.graph, b.why = nil, ""
}

// fast compiles the changed packages and links. On any error, the go command must be
// used.
func (b *Builder) fast(ctx context.Context, g *Graph, paths []string) (Result, error) {
	r := Result{Build: event.Build{Mode: event.ModeFast}}
	e, err := g.plan(paths)
	if err != nil {
		return r, err
	}
	if len(e.packages) == 0 {
		r.Binary, r.Same = b.binary, true
		return r, nil
	}
	start := time.Now()
	next, names, err := b.compile(ctx, g, e)
	r.Compile, r.Packages = event.Milliseconds(time.Since(start)), names
	if compileErr, ok := errors.AsType[errCompile](err); ok {
		if r.Errors, r.Output = diagnostics(b.dir, string(compileErr)); len(r.Errors) > 0 {
			r.Stage = event.StageBuild
			return r, nil
		}
	}
	if err != nil {
		return r, err
	}
	if e.syntaxError {
		return r, errDoubt("the compiler accepts what the parser does not")
	}
	start = time.Now()
	binary := b.next()
	if out, err := b.link(ctx, next, binary); err != nil {
		return r, errors.Join(err, errors.New(out))
	}
	r.Link = event.Milliseconds(time.Since(start))
	b.accept(binary, [sha256.Size]byte{})
	b.mu.Lock()
	b.graph = next
	if b.indexing == nil {
		b.missed = nil
	}
	b.mu.Unlock()
	b.sweep(next)
	r.Binary = binary
	return r, nil
}

// full builds with the go command. Afterwards the graph must be indexed again, unless
// an index is in progress.
func (b *Builder) full(ctx context.Context, why string) (Result, error) {
	r := Result{Build: event.Build{Mode: event.ModeFull, Why: why}}
	b.mu.Lock()
	b.graph, b.why = nil, "the last build failed"
	if b.indexing != nil {
		b.why = "the program is being indexed"
	}
	flags := b.flags()
	b.mu.Unlock()
	start := time.Now()
	b.before = takeSnapshot(b.dirs())
	binary := b.next()
	args := append([]string{"build", "-v", "-o", binary}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	var out goOutput
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, &out, &out
	end := out.watch(time.Second, b.Progress)
	_, err := b.spawn.Output(cmd)
	end()
	r.Compile = event.Milliseconds(time.Since(start))
	if ctx.Err() != nil {
		b.mu.Lock()
		if b.indexing == nil {
			b.why = "the build before was stopped by a newer change"
		}
		b.mu.Unlock()
		return r, ctx.Err()
	}
	if err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			return r, err
		}
		r.Stage = event.StageBuild
		if r.Errors, r.Output = diagnostics(b.dir, out.String()); len(r.Errors) == 0 && r.Output == "" {
			r.Output = err.Error()
		}
		return r, nil
	}
	sum, err := fileHash(binary)
	if err != nil {
		return r, err
	}
	if sum == b.sum {
		_ = os.Remove(binary)
		r.Binary, r.Same = b.binary, true
		return r, nil
	}
	b.accept(binary, sum)
	r.Binary = binary
	return r, nil
}

// next returns a path for a binary that no process uses.
func (b *Builder) next() string {
	b.count++
	return filepath.Join(b.state, "app-"+strconv.Itoa(b.count)+process.ExeSuffix)
}

// accept makes binary the latest. The previous one may still be starting or running;
// older ones are removed, as far as the system permits.
func (b *Builder) accept(binary string, sum [sha256.Size]byte) {
	b.binary, b.sum = binary, sum
	found, _ := filepath.Glob(filepath.Join(b.state, "app-*"+process.ExeSuffix)) // the pattern is valid
	for _, file := range found {
		if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "app-"), process.ExeSuffix)); err == nil && n < b.count-1 {
			_ = os.Remove(file) // fails on Windows while it runs
		}
	}
}

// Improve prepares, in the background and one after the other, what makes later builds
// faster: the graph, all packages without DWARF, and the graph with those. It calls
// found with each graph. It must be called after each successful build.
func (b *Builder) Improve(ctx context.Context, found func(*Graph)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.building || b.indexing != nil || ctx.Err() != nil:
	case b.graph == nil || b.warm && !b.graph.lean:
		b.index(ctx, found)
	case !b.debug && !b.warm && b.warming == nil:
		b.warmUp(ctx, found)
	}
}

// flags returns the flags of the next build. The caller must hold the lock.
func (b *Builder) flags() []string {
	switch {
	case b.debug:
		return debugFlags
	case b.warm:
		return leanFlags
	}
	return sharedFlags
}

// index makes a graph in the background. The caller must hold the lock.
func (b *Builder) index(ctx context.Context, found func(*Graph)) {
	indexing, work := inBackground(ctx)
	b.indexing = work
	if b.graph == nil {
		b.why = "the program is being indexed"
	}
	binary, missed, lean, before, flags := b.binary, len(b.missed), b.warm, b.before, b.flags()
	b.before = nil // only useful for the index after a full build
	go func() {
		defer work.cancel()
		if before == nil {
			before = takeSnapshot(b.dirs())
		}
		info, err := modinfo(binary) // before a later build removes the binary
		var g *Graph
		if err == nil {
			g, err = readGraph(indexing, b.spawn, b.dir, flags, before)
		}
		b.mu.Lock()
		b.indexing = nil
		ok := err == nil
		switch {
		case ok:
			g.lean, g.modinfo = lean, info
			b.missed = b.missed[missed:]
			g.invalidate(b.missed)
			b.graph, b.why = g, ""
		case b.graph != nil: // keep it
		case indexing.Err() != nil:
			b.why = "the index was not complete"
		default:
			b.why = "there is no index: " + err.Error()
		}
		b.mu.Unlock()
		if ok {
			found(g)
		}
		close(work.done)
		if ok {
			b.Improve(ctx, found)
		}
	}()
}

// warmUp compiles everything without DWARF, with the go command. The first time that
// takes about as long as the first build; builds continue meanwhile. The caller must
// hold the lock.
func (b *Builder) warmUp(ctx context.Context, found func(*Graph)) {
	warming, work := inBackground(ctx)
	b.warming = work
	go func() {
		defer work.cancel()
		args := append([]string{"list", "-deps", "-export", "-p=1", "-json=ImportPath"}, leanFlags...)
		cmd := exec.CommandContext(warming, "go", append(args, ".")...)
		cmd.Dir = b.dir
		_, err := b.spawn.OutputLow(cmd)
		b.mu.Lock()
		b.warm, b.warming = err == nil, nil
		b.mu.Unlock()
		close(work.done)
		if err == nil {
			b.Improve(ctx, found)
		}
	}()
}

func fileHash(name string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
