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

// AnyPort as Options.Port lets the system choose.
const AnyPort = -1

// debounce is how long it is quiet before a build begins: the events of one
// save come within a millisecond or two, and a build that a later one makes
// stale is cancelled.
const debounce = 12 * time.Millisecond

// quitLimit is how long answers under way may take when the person quits.
const quitLimit = 5 * time.Second

// quitPause is how long it may take to quit without a word.
const quitPause = 300 * time.Millisecond

// The values of Options.Show.
const (
	ShowPlain  = "plain"  // lines of text
	ShowJSON   = "json"   // an Event a line
	ShowScreen = "screen" // a full-screen program; Stdin and Stdout are a terminal
)

// Options says what is run and how it is shown.
type Options struct {
	Dir  string // of the main package; default that of the project around the working directory, else that itself
	Host string // default: that of ADDR, else 127.0.0.1
	Port int    // 0: that of ADDR, else 8000; AnyPort: one that is free
	Open bool   // open the browser when the first version runs
	Test bool   // test changed packages after each build

	// Poll is how often files are looked at instead of waiting for word of the
	// system, which tells nothing on some mounts; 0 for word of the system.
	Poll time.Duration

	// Delve builds for debugging and runs the program under dlv, which editors
	// reach at 127.0.0.1:2345, or the next free port, as long as Run runs: they
	// attach again after a swap.
	Delve bool

	// Ask returns nil when a person says yes; nil when nobody can be asked. The
	// one question is whether the next free port will do when Port is taken.
	// Yes answers it beforehand.
	Ask func(question string) error
	Yes bool

	// Serving is called when a version of a generated project serves, with its
	// folder, the program and its environment. What it returns is shown.
	Serving func(ctx context.Context, dir, binary string, env []string) (note string, err error)

	Show   string   // ShowPlain, ShowJSON or ShowScreen; default ShowPlain
	Env    []string // of the program, default os.Environ(); APP_ENV=development is added when neither it nor .env sets one
	Stdin  io.Reader
	Stdout io.Writer // default os.Stdout

	drain  time.Duration // how long a version that retires waits for its answers; default drainLimit
	glance time.Duration // see newWatcher; default 5 s
}

// Run watches, builds and serves the program in o.Dir until ctx ends, the person
// says so, or nobody reads Stdout any more. Whatever is wrong with the program's source is shown and not
// an error; an error is a port that cannot be opened, a directory without a
// program, or a system that cannot watch it.
//
// The program is started with ADDR set to where it must listen: a Unix socket
// ("unix:" and a path), or a loopback port.
func Run(ctx context.Context, o Options) error {
	s, err := newServer(o)
	if err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx)
}

// server is the loop and what it rules. Its plain fields belong to the loop
// alone.
type server struct {
	o       Options
	dir     string // of the main package
	root    string // of its module
	state   string // a directory of our own, for binaries and sockets
	url     string
	nexios  bool // the program has the commands of a generated one
	feed    *feed
	board   *board
	proxy   *proxy.Proxy
	live    *proxy.Live
	watch   *watcher
	spawn   *process.Spawner
	builder *build.Builder
	unread  chan struct{} // closed when nobody reads what is shown
	screen  *screen       // nil without
	door    *process.Door // nil without a debugger
	http    *http.Server
	routes  routesCache

	changes  changes
	trying   trying
	versions versions
	keys     chan string // pressed on the screen
	later    chan func() // what other goroutines ask the loop to do
	rooms    rooms
	testing  func() // cancels the tests under way, or nil
	opened   bool
}

// trying is the attempt under way, of which there is one at a time.
type trying struct {
	cancel   func() // nil without one
	stale    bool   // something newer came: begin again when it ends
	outcomes chan outcome
}

// versions are those of the program that were made and run.
type versions struct {
	count   int          // of attempts; a version has the number of its own
	newest  string       // the binary that was made last
	current *process.App // what answers, or nil
	gone    chan *process.App
	retired sync.WaitGroup // those that end
}

func (s *server) emit(e event.Event) { s.feed.emit(e) }
func (s *server) note(text string)   { s.emit(event.Event{Kind: event.KindNote, Text: text}) }

// do has the loop call f, unless the loop has ended.
func (s *server) do(ctx context.Context, f func()) {
	select {
	case s.later <- f:
	case <-ctx.Done():
	}
}

// run is the loop.
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
		case <-s.unread:
			return nil
		case path, ok := <-s.watch.paths:
			if !ok {
				return &problem.Error{Kind: problem.Failure, What: "file watching stopped", Try: "nexios dev"}
			}
			s.saw(path)
		case path := <-s.watch.silent:
			s.note(fmt.Sprintf("the file system does not report changes (%s): checking the files every second from now on, as with nexios dev --poll", build.Relative(s.root, path)))
		case <-s.watch.lost:
			s.note("file events were lost; rebuilding everything")
			s.proxy.Hold()
			s.changes.forced = true
			s.changes.wait()
		case <-s.changes.quiet.C:
			s.settle(ctx)
		case out := <-s.trying.outcomes:
			s.finish(ctx, out)
		case a := <-s.versions.gone:
			s.crashed(ctx, a)
		case key := <-s.keys:
			if key == keyQuit {
				return nil
			}
			s.press(ctx, key)
		case f := <-s.later:
			f()
		}
	}
}

// What a changed file asks for.
type need int

const (
	needNothing need = iota
	needAssets       // pages load again
	needRestart      // the program starts again
	needBuild
)

// classify says what a change of path asks for.
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
	g := s.builder.Known()
	if _, err := os.Lstat(path); err != nil && (g == nil && filepath.Ext(name) == "" || g != nil && g.Below(path)) {
		return needBuild // a directory was moved away, of whose files the system tells nothing
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

// asset says whether a file of that name may be part of a page.
func asset(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".html", ".htm", ".tmpl", ".gohtml", ".css", ".js", ".mjs", ".json", ".svg", ".png", ".jpg", ".jpeg", ".gif",
		".webp", ".avif", ".ico", ".woff", ".woff2", ".txt", ".md", ".xml", ".webmanifest":
		return true
	}
	return false
}

// saw notes that path changed. Requests wait from here on if it may matter to
// them.
func (s *server) saw(path string) {
	s.rooms.changed(s.root, path)
	need := s.classify(path)
	if need == needNothing {
		return
	}
	if need != needAssets {
		s.proxy.Hold()
	}
	s.changes.saw(path)
}

// settle acts on what changed when it has become quiet.
func (s *server) settle(ctx context.Context) {
	var built, assets []string
	for path := range s.changes.fresh {
		switch s.classify(path) {
		case needAssets:
			s.changes.pending[path] = true // the program may hold a copy, which the next build makes new
			if _, err := os.Lstat(path); err == nil || asset(path) {
				assets = append(assets, build.Relative(s.root, path)) // not what an editor made and removed
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
			s.live.Tell(state)
			s.emit(event.Event{Kind: event.KindAssets, Files: assets})
		}
		return
	}
	if s.trying.cancel != nil { // what is under way is stale
		s.trying.stale = true
		s.trying.cancel()
		return
	}
	s.begin(ctx)
}

// shutdown ends everything that runs. The loop is over. Who quit by a key makes
// it hurry by ending outer, with ctrl-c.
func (s *server) shutdown(outer context.Context) {
	if s.trying.cancel != nil {
		s.trying.cancel()
		if out := <-s.trying.outcomes; out.app != nil {
			out.app.Stop()
		}
	}
	if s.testing != nil {
		s.testing()
	}
	if s.door != nil {
		s.door.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), quitLimit)
	defer cancel()
	if outer.Err() == nil {
		defer context.AfterFunc(outer, cancel)()
	}
	waiting := time.AfterFunc(quitPause, s.sayWaiting)
	defer waiting.Stop()
	s.proxy.Release(nil)
	s.live.Close()
	if s.versions.current != nil {
		s.versions.current.Streams.Close()
	}
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // what is cut is cut
	}
	if s.versions.current != nil {
		s.versions.current.Retire(s.o.drain)
	}
	s.versions.retired.Wait()
}

// sayWaiting tells a person who quit why it takes so long. The screen is gone.
func (s *server) sayWaiting() {
	const text = "waiting for requests in progress; press ctrl-c to cut them off"
	if s.screen == nil {
		s.note(text)
		return
	}
	s.screen.close()
	fmt.Fprintln(s.o.Stdout, text)
}

// close gives back what open took.
func (s *server) close() {
	_ = s.http.Close()
	_ = s.watch.close()
	s.builder.Forget()
	s.feed.close()
	if s.screen != nil {
		s.screen.close()
	}
	s.spawn.Close()
	_ = os.RemoveAll(s.state) // the next run sweeps what is left
}
