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

// sharedFlags are used while the packages without DWARF are not all made;
// leanFlags when they are; debugFlags for a debugger, which needs all that they
// leave out and code that follows the source. Stamping the revision costs a run of git and says
// nothing during development.
var (
	sharedFlags = []string{"-buildvcs=false", "-ldflags=-s -w"}
	leanFlags   = []string{"-buildvcs=false", "-ldflags=-s -w", "-gcflags=all=-dwarf=false"}
	debugFlags  = []string{"-buildvcs=false", "-gcflags=all=-N -l"}
)

// Builder makes the program, by the shortest way that gives what `go build`
// would.
type Builder struct {
	compiler
	// Progress is told of each second of a build by the go command; it may be nil.
	Progress func(Progress)

	dirs     func() []string // the directories to read before a full build
	patience time.Duration   // how long a build waits for an index

	// These belong to the build under way, and between builds to improve.
	count  int
	before snapshot          // of the files, taken before the last full build
	binary string            // the newest that was made
	sum    [sha256.Size]byte // of binary, when go build made it

	mu       sync.Mutex
	graph    *Graph // nil until the index is made
	why      string // why there is no graph
	building bool
	indexing *background
	missed   []string // what builds were told of while an index was made: it may have read any state of these files
	warm     bool     // the packages without DWARF are all made
	warming  *background
}

// New makes a builder of the program in dir, which keeps what it makes in
// state. dirs are the directories to read before a full build.
func New(spawn *process.Spawner, dir, state string, debug bool, dirs func() []string) *Builder {
	return &Builder{compiler: compiler{spawn: spawn, dir: dir, state: state, debug: debug}, dirs: dirs, patience: indexPatience}
}

// background is work beside the builds.
type background struct {
	cancel  context.CancelFunc
	done    chan struct{}
	started time.Time
}

func inBackground(ctx context.Context) (context.Context, *background) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, &background{cancel, make(chan struct{}), time.Now()}
}

// end cancels the work, if there is any, and returns when it is over.
func (w *background) end() {
	if w != nil {
		w.cancel()
		<-w.done
	}
}

// Result is what building ended with.
type Result struct {
	event.Build
	Binary string
	Same   bool // the program did not change
}

// Failed says whether there is no new program.
func (r Result) Failed() bool { return r.Stage != "" }

// Build makes the program as it is now; paths are the files that may have
// changed since the last build that did not fail. An error means that it was
// cancelled or could not be tried.
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
	g, why := b.current(ctx)
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

// current is the graph, if there is one or one is about to be.
func (b *Builder) current(ctx context.Context) (*Graph, string) {
	b.mu.Lock()
	g, running := b.graph, b.indexing
	b.mu.Unlock()
	if g != nil || running == nil {
		return g, b.reason()
	}
	// Most indexes are made in less than the time that this build would take
	// longer without.
	select {
	case <-running.done:
	case <-time.After(max(0, b.patience-time.Since(running.started))):
	case <-ctx.Done():
	}
	return b.Known(), b.reason()
}

// indexPatience is how long builds wait for an index. One that takes longer goes
// on beside the build: whoever saves often would else never get one.
const indexPatience = time.Second

func (b *Builder) reason() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// Known is the graph if there is one now.
func (b *Builder) Known() *Graph {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.graph
}

// Forget drops the graph, and what is being made in the background.
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

// fast compiles what changed and links. Any error means: use the go command.
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
	if refused, ok := errors.AsType[errCompile](err); ok {
		if r.Errors, r.Output = diagnostics(b.dir, string(refused)); len(r.Errors) > 0 {
			r.Stage = event.StageBuild
			return r, nil
		}
	}
	if err != nil {
		return r, err
	}
	if e.broken {
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

// full leaves it all to the go command. The graph must be indexed again
// afterwards, unless an index is being made.
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
		if _, ended := errors.AsType[*exec.ExitError](err); !ended {
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

// next is a name for a binary that no process runs.
func (b *Builder) next() string {
	b.count++
	return filepath.Join(b.state, "app-"+strconv.Itoa(b.count)+process.ExeSuffix)
}

// accept makes binary the newest. The one before it may still be starting or
// running; older ones go, as far as the system lets them.
func (b *Builder) accept(binary string, sum [sha256.Size]byte) {
	b.binary, b.sum = binary, sum
	found, _ := filepath.Glob(filepath.Join(b.state, "app-*"+process.ExeSuffix)) // the pattern is well formed
	for _, file := range found {
		if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "app-"), process.ExeSuffix)); err == nil && n < b.count-1 {
			_ = os.Remove(file) // not while it runs on Windows
		}
	}
}

// Improve makes, in the background and one after the other, what makes later
// builds faster: the graph; all packages without DWARF; the graph with those.
// found is handed each graph. It is called after each build that did not fail.
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

// flags are those of the next build. It is called with the lock held.
func (b *Builder) flags() []string {
	switch {
	case b.debug:
		return debugFlags
	case b.warm:
		return leanFlags
	}
	return sharedFlags
}

// index is called with the lock held.
func (b *Builder) index(ctx context.Context, found func(*Graph)) {
	indexing, work := inBackground(ctx)
	b.indexing = work
	if b.graph == nil {
		b.why = "the program is being indexed"
	}
	binary, missed, lean, before, flags := b.binary, len(b.missed), b.warm, b.before, b.flags()
	b.before = nil // of use for the index after a full build alone
	go func() {
		defer work.cancel()
		if before == nil {
			before = takeSnapshot(b.dirs())
		}
		info, err := modinfo(binary) // before a later build removes it
		var g *Graph
		if err == nil {
			g, err = readGraph(indexing, b.spawn, b.dir, flags, before)
		}
		b.mu.Lock()
		b.indexing = nil
		used := err == nil
		switch {
		case used:
			g.lean, g.modinfo = lean, info
			b.missed = b.missed[missed:]
			g.doubt(b.missed)
			b.graph, b.why = g, ""
		case b.graph != nil: // it stays
		case indexing.Err() != nil:
			b.why = "the index was not complete"
		default:
			b.why = "there is no index: " + err.Error()
		}
		b.mu.Unlock()
		if used {
			found(g)
		}
		close(work.done)
		if used {
			b.Improve(ctx, found)
		}
	}()
}

// warmUp has the go command compile everything without DWARF, which the first
// time takes about as long as the first build did. Builds go on beside it. It
// is called with the lock held.
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
