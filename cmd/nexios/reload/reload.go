package reload

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"
	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// AnyPort as Options.Port lets the system choose a free port.
const AnyPort = -1

// debounce is how long files must be unchanged before a build starts: the events of one
// save arrive within a millisecond or two, and later changes cancel the build.
const debounce = 12 * time.Millisecond

// quitLimit is how long requests in progress may take after the user quits.
const quitLimit = 5 * time.Second

// quitPause is how long quitting may take before a message says why.
const quitPause = 300 * time.Millisecond

// The values of Options.Show.
const (
	ShowPlain  = "plain"  // lines of text
	ShowJSON   = "json"   // an Event per line
	ShowScreen = "screen" // a full-screen program; Stdin and Stdout are a terminal
)

// Options specifies what to run and how to show it.
type Options struct {
	Dir  string // directory of the main package; default: the project that contains the working directory, or the working directory
	Host string // default: from ADDR, or 127.0.0.1
	Port int    // 0: from ADDR, or 8000; AnyPort: any free port
	Open bool   // open the browser when the first version runs
	Test bool   // test changed packages after each build

	// Poll, if not 0, is the interval at which files are checked instead of waiting for
	// file system events, which some mounts do not report.
	Poll time.Duration

	// Delve builds for debugging and runs the program under dlv. Editors attach at
	// 127.0.0.1:2345, or the next free port, which stays open while Run runs; they
	// reattach after a swap.
	Delve bool

	// Ask returns nil if the user answers yes; Ask is nil if there is no user. The only
	// question is whether to use the next free port when Port is in use. Yes answers it
	// in advance.
	Ask func(question string) error
	Yes bool

	// Serving is called when a version of a generated project serves, with its
	// directory, binary and environment. The returned note or error is shown.
	Serving func(ctx context.Context, dir, binary string, env []string) (note string, err error)

	Show   string   // ShowPlain, ShowJSON or ShowScreen; default ShowPlain
	Env    []string // environment of the program, default os.Environ(); APP_ENV=development is added if neither it nor .env sets APP_ENV
	Stdin  io.Reader
	Stdout io.Writer // default os.Stdout

	drain        time.Duration // how long a retiring version waits for its requests; default drainLimit
	fallbackPoll time.Duration // see newWatcher; default 5 s
}

// Run watches, builds and serves the program in o.Dir until ctx is done, the user
// quits, or Stdout is closed. Problems of the program's source are shown, not returned.
// Run returns an error if the port cannot be opened, the directory has no program, or
// the system cannot watch it.
//
// The program is started with ADDR set to the address to listen on: a Unix socket
// ("unix:" and a path) or a loopback port.
func Run(ctx context.Context, o Options) error {
	s, err := newServer(o)
	if err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx)
}

// server is the event loop and its state. Fields without a lock or channel are used by
// the loop only.
type server struct {
	o            Options
	dir          string // of the main package
	root         string // of its module
	state        string // temporary directory for binaries and sockets
	url          string
	nexios       bool // the program has the commands of a generated project
	feed         *feed
	board        *board
	proxy        *proxy.Proxy
	live         *proxy.Live
	watch        *watcher
	spawn        *process.Spawner
	builder      *build.Builder
	outputClosed chan struct{}      // closed when nobody reads Stdout any more
	screen       *screen            // nil without a screen
	debug        *process.DebugPort // nil without Delve
	http         *http.Server
	routes       routesCache

	changes  changes
	inFlight inFlight
	versions versions
	keys     chan string // keys pressed on the screen
	calls    chan func() // functions for the loop to call
	untested untested
	testing  func() // cancels the running tests, or nil
	opened   bool
}

// inFlight is the attempt in progress. There is at most one.
type inFlight struct {
	cancel   func() // nil if there is none
	stale    bool   // there are newer changes: start again afterwards
	outcomes chan outcome
}

// versions are the versions of the program that were built and run.
type versions struct {
	count   int          // number of attempts; a version's ID is the number of its attempt
	newest  string       // binary of the latest build
	current *process.App // the version that serves, or nil
	gone    chan *process.App
	retired sync.WaitGroup // versions being stopped
}

func (s *server) emit(e event.Event) { s.feed.emit(e) }
func (s *server) note(text string)   { s.emit(event.Event{Kind: event.KindNote, Text: text}) }

// do makes the loop call f, unless it has ended.
func (s *server) do(ctx context.Context, f func()) {
	select {
	case s.calls <- f:
	case <-ctx.Done():
	}
}

// run runs the loop.
func (s *server) run(ctx context.Context) error {
	outer := ctx
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	if s.screen != nil {
		go func() {
			s.screen.run(ctx)
			quit()
		}()
	}
	defer s.shutdown(outer)
	s.changes.forced = true
	s.begin(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.outputClosed:
			return nil
		case path, ok := <-s.watch.paths:
			if !ok {
				return &problem.Error{Kind: problem.Failure, What: "file watching stopped", Try: "nexios dev"}
			}
			s.fileChanged(path)
		case path := <-s.watch.silent:
			s.note(fmt.Sprintf("the file system does not report changes (%s): checking the files every second from now on, as with nexios dev --poll", build.Relative(s.root, path)))
		case <-s.watch.lost:
			s.note("file events were lost; rebuilding everything")
			s.proxy.Hold()
			s.changes.forced = true
			s.changes.wait()
		case <-s.changes.quiet.C:
			s.settle(ctx)
		case out := <-s.inFlight.outcomes:
			s.finish(ctx, out)
		case a := <-s.versions.gone:
			s.crashed(ctx, a)
		case key := <-s.keys:
			if key == keyQuit {
				return nil
			}
			s.press(ctx, key)
		case f := <-s.calls:
			f()
		}
	}
}

// need is what a changed file requires.
type need int

const (
	needNothing need = iota
	needAssets       // reload pages
	needRestart      // restart the program
	needBuild
)

// classify returns what a change of path requires.
func (s *server) classify(path string) need {
	name := filepath.Base(path)
	if filepath.Dir(path) == s.dir && strings.HasPrefix(name, ".env") {
		if name == ".env.example" {
			return needNothing
		}
		return needRestart
	}
	switch name {
	case "go.mod", "go.sum", "go.work", "go.work.sum", "modules.txt", "default.pgo":
		return needBuild
	}
	if build.IsSource(name) {
		if strings.HasSuffix(name, "_test.go") {
			return needNothing
		}
		return needBuild
	}
	g := s.builder.Current()
	if _, err := os.Lstat(path); err != nil && (g == nil && filepath.Ext(name) == "" || g != nil && g.Below(path)) {
		return needBuild // a directory was moved away: the system reports nothing about its files
	}
	embedder := g != nil && g.Concerns(path)
	switch {
	case embedder && g.FromDisk(path) && readSetting(s.dir, s.environ(), "APP_ENV") == "development":
		return needAssets
	case embedder, g == nil && asset(name):
		return needBuild
	case asset(name):
		return needAssets
	}
	return needNothing
}

// asset reports whether a file of that name may be part of a page.
func asset(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".html", ".htm", ".tmpl", ".gohtml", ".css", ".js", ".mjs", ".json", ".svg", ".png", ".jpg", ".jpeg", ".gif",
		".webp", ".avif", ".ico", ".woff", ".woff2", ".txt", ".md", ".xml", ".webmanifest":
		return true
	}
	return false
}

// fileChanged records a change of path. If it can affect responses, requests wait from
// here on.
func (s *server) fileChanged(path string) {
	s.untested.changed(s.root, path)
	need := s.classify(path)
	if need == needNothing {
		return
	}
	if need != needAssets {
		s.proxy.Hold()
	}
	s.changes.add(path)
}

// settle acts on the changes once there are no more for a while.
func (s *server) settle(ctx context.Context) {
	var built, assets []string
	for path := range s.changes.fresh {
		switch s.classify(path) {
		case needAssets:
			s.changes.pending[path] = true // the program may have embedded it: rebuild with the next build
			if _, err := os.Lstat(path); err == nil || asset(path) {
				assets = append(assets, build.Relative(s.root, path)) // not the temporary file of an editor
			}
		case needRestart:
			s.changes.restart = true
			built = append(built, path)
		default:
			built = append(built, path)
		}
	}
	slices.Sort(assets)
	slices.Sort(built)
	if len(built) == 0 && !s.changes.forced {
		clear(s.changes.fresh)
		if len(assets) > 0 {
			state := s.live.State()
			state.Assets = assets
			s.live.Send(state)
			s.emit(event.Event{Kind: event.KindAssets, Files: assets})
		}
		return
	}
	if s.inFlight.cancel != nil { // the attempt in progress is stale
		s.inFlight.stale = true
		s.inFlight.cancel()
		return
	}
	s.begin(ctx)
}

// shutdown stops everything after the loop has ended. If the user quit with a key,
// outer is still alive: ctrl-c ends it, which cuts the wait short.
func (s *server) shutdown(outer context.Context) {
	if s.inFlight.cancel != nil {
		s.inFlight.cancel()
		if out := <-s.inFlight.outcomes; out.app != nil {
			out.app.Stop()
		}
	}
	if s.testing != nil {
		s.testing()
	}
	if s.debug != nil {
		s.debug.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), quitLimit)
	defer cancel()
	if outer.Err() == nil {
		defer context.AfterFunc(outer, cancel)()
	}
	waiting := time.AfterFunc(quitPause, s.noteWaiting)
	defer waiting.Stop()
	s.proxy.Release(nil)
	s.live.Close()
	if s.versions.current != nil {
		s.versions.current.Streams.Close()
	}
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // cut off what is left
	}
	if s.versions.current != nil {
		s.versions.current.Retire(s.o.drain)
	}
	s.versions.retired.Wait()
}

// noteWaiting tells the user why quitting takes so long. The screen is closed by then.
func (s *server) noteWaiting() {
	const text = "waiting for requests in progress; press ctrl-c to cut them off"
	if s.screen == nil {
		s.note(text)
		return
	}
	s.screen.close()
	fmt.Fprintln(s.o.Stdout, text)
}

// close releases what open acquired.
func (s *server) close() {
	_ = s.http.Close()
	_ = s.watch.close()
	s.builder.Forget()
	s.feed.close()
	if s.screen != nil {
		s.screen.close()
	}
	s.spawn.Close()
	_ = os.RemoveAll(s.state) // the next run removes leftovers
}
