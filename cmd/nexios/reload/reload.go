package reload

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
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

// crashPause is how long a version must have run to be started again when it
// ends by itself.
const crashPause = 2 * time.Second

// The keys of the screen.
const (
	keyRebuild = "r"
	keyTest    = "t"
	keyOpen    = "o"
	keyMigrate = "m"
	keyQuit    = "q"
)

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
	Test bool   // test the packages that changed after each build

	// Delve builds for debugging and runs the program under dlv, which editors
	// reach at 127.0.0.1:2345, or the next free port, as long as Run runs: they
	// attach again after a swap.
	Delve bool

	// Ask returns nil when a person says yes; nil when nobody can be asked. The
	// one question is whether the next free port will do when Port is taken.
	// Yes answers it beforehand.
	Ask func(question string) error
	Yes bool

	Show   string   // ShowPlain, ShowJSON or ShowScreen; default ShowPlain
	Env    []string // of the program, default os.Environ(); APP_ENV=development is added when neither it nor .env sets one
	Stdin  io.Reader
	Stdout io.Writer // default os.Stdout

	drain time.Duration // how long a version that retires waits for its answers; default drainLimit
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
	proxy   *proxy
	live    *live
	watch   *watcher
	spawn   *spawner
	builder *builder
	unread  chan struct{} // closed when nobody reads what is shown
	screen  *screen       // nil without
	door    *door         // nil without a debugger
	http    *http.Server
	routes  routesCache

	quiet    *time.Timer
	outcomes chan outcome
	gone     chan *app
	keys     chan string     // pressed on the screen
	later    chan func()     // what other goroutines ask the loop to do
	pending  map[string]bool // changed since the last build that did not fail
	fresh    map[string]bool // changed since the last attempt began
	forced   bool            // build even if nothing seems changed
	restart  bool            // start again even if the program is the same
	cancel   func()          // of the attempt under way, or nil
	settled  bool            // the attempt under way is stale: begin again when it ends
	count    int             // attempts and versions
	since    time.Time       // when the oldest change was saved that no finished attempt has seen
	current  *app
	newest   string // the binary that was made last
	rooms    rooms
	testing  func() // cancels the tests under way, or nil
	retired  sync.WaitGroup
	opened   bool
}

func newServer(o Options) (*server, error) {
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.drain == 0 {
		o.drain = drainLimit
	}
	s := &server{
		o:        o,
		board:    &board{},
		quiet:    time.NewTimer(time.Hour),
		outcomes: make(chan outcome),
		gone:     make(chan *app),
		keys:     make(chan string),
		later:    make(chan func()),
		pending:  map[string]bool{},
		fresh:    map[string]bool{},
		rooms:    rooms{},
		unread:   make(chan struct{}),
	}
	s.quiet.Stop()
	if err := s.find(); err != nil {
		return nil, err
	}
	dlv := ""
	if o.Delve {
		var err error
		if dlv, err = findDlv(); err != nil {
			return nil, err
		}
	}
	host, port, err := s.address()
	if err != nil {
		return nil, err
	}
	listener, taken, err := listen(host, port)
	if err != nil {
		return nil, err
	}
	note := ""
	if taken != nil {
		if err := s.agree(taken); err != nil {
			listener.Close()
			return nil, err
		}
		note = fmt.Sprintf("%s; listening at %d instead", taken, taken.next)
	}
	s.url = "http://" + shownAddress(listener.Addr())
	if err := s.open(listener, note, dlv); err != nil {
		listener.Close()
		return nil, err
	}
	return s, nil
}

// open makes everything that must be closed again.
func (s *server) open(listener net.Listener, note, dlv string) (err error) {
	if s.state, err = stateDir(); err != nil {
		return fmt.Errorf("there is no place for what is built: %w\n  where: the cache directory\n  try: XDG_CACHE_HOME=/var/tmp/cache nexios dev", err)
	}
	if s.spawn, err = newSpawner(s.state); err != nil {
		return err
	}
	if s.watch, err = newWatcher(s.root); err != nil {
		return fmt.Errorf("the project cannot be watched: %w\n  try: raise the limit, sudo sysctl fs.inotify.max_user_watches=524288", err)
	}
	out := &watchedWriter{w: s.o.Stdout, unread: s.unread}
	show := plainWriter(out)
	switch s.o.Show {
	case ShowJSON:
		show = jsonWriter(out)
	case ShowScreen:
		s.screen = newScreen(filepath.Base(s.dir), s.url, s.o.Stdin, s.o.Stdout, s.keys)
		show = s.screen.show
	}
	s.feed = newFeed(s.board.note, show)
	s.builder = &builder{
		compiler: compiler{spawn: s.spawn, dir: s.dir, state: s.state, debug: s.o.Delve},
		dirs:     func() []string { return s.watch.fs.WatchList() },
		patience: indexPatience,
	}
	s.proxy = newProxy(strconv.FormatInt(time.Now().UnixMilli(), 36), s.feed.emit)
	s.live = newLive(filepath.Base(s.dir))
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+scriptPath, local(s.live.script))
	mux.HandleFunc("GET "+livePath, local(s.live.ServeHTTP))
	mux.HandleFunc("GET /dev", private(serveDev(s.view)))
	s.proxy.own = mux
	s.http = &http.Server{Handler: s.proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent()}
	go func() { _ = s.http.Serve(listener) }() // ends when it is closed
	s.emit(Event{Kind: KindListening, URL: s.url})
	if note != "" {
		s.note(note)
	}
	if dlv == "" {
		return nil
	}
	var taken *takenPort
	if s.door, taken, err = openDoor(dlv, s.note); err != nil {
		return err
	}
	s.emit(Event{Kind: KindDebugger, Address: s.door.listener.Addr().String()})
	if taken != nil {
		s.note(fmt.Sprintf("%s; the debugger listens at %d instead", taken, taken.next))
	}
	return nil
}

// find says where the program and its module are.
func (s *server) find() error {
	dir, err := filepath.Abs(s.o.Dir)
	if err != nil {
		return err
	}
	if s.o.Dir == "" {
		dir = projectAround(dir)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fmt.Errorf("there is no directory %s\n  try: nexios dev in the project, or --dir", s.o.Dir)
	}
	s.dir = dir
	for s.root = dir; ; s.root = filepath.Dir(s.root) {
		if _, err := os.Stat(filepath.Join(s.root, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(s.root) == s.root {
			return fmt.Errorf("there is no go.mod in %s\n  or above it\n  try: nexios new blog, or nexios dev --dir blog", dir)
		}
	}
	if why := noProgram(dir); why != "" {
		return fmt.Errorf("there is no program in %s\n  %s\n  try: nexios dev --dir with the directory of main.go", dir, why)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("there is no go command\n  where: PATH\n  try: install Go from https://go.dev/dl")
	}
	s.nexios = isProject(dir)
	return nil
}

func isProject(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "nexios.json"))
	return err == nil
}

// projectAround is the nearest directory from dir upwards that holds a project,
// or dir when there is none.
func projectAround(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if isProject(at) {
			return at
		}
		if filepath.Dir(at) == at {
			return dir
		}
	}
}

// noProgram says why the files in dir cannot make a program. One that cannot be
// read yet may become part of one.
func noProgram(dir string) string {
	found, _ := filepath.Glob(filepath.Join(dir, "*.go")) // only a bad pattern is an error
	why := "no .go file"
	for _, file := range found {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly)
		if err != nil || f.Name.Name == "main" {
			return ""
		}
		why = "package " + f.Name.Name + ", not main"
	}
	return why
}

// address is where to listen: what was asked for, else where the program would.
func (s *server) address() (host string, port int, err error) {
	host, port = "127.0.0.1", 8000
	if addr := readSetting(s.dir, s.o.Env, "ADDR"); addr != "" && !strings.HasPrefix(addr, "unix:") {
		h, p, err := net.SplitHostPort(addr)
		if err == nil {
			port, err = strconv.Atoi(p)
		}
		if err != nil {
			return "", 0, fmt.Errorf("ADDR is not an address: %q\n  in the environment or .env\n  try: ADDR=127.0.0.1:8000", addr)
		}
		host = h
	}
	if s.o.Host != "" {
		host = s.o.Host
	}
	switch {
	case s.o.Port == AnyPort:
		port = 0
	case s.o.Port != 0:
		port = s.o.Port
	}
	if port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("there is no port %d\n  try: --port 8000", port)
	}
	return host, port, nil
}

// agree says whether another port than the one that is taken will do: the
// person decides. Where there is nobody to ask, it will do unless the port was
// asked for by its number.
func (s *server) agree(t *takenPort) error {
	switch {
	case s.o.Yes:
		return nil
	case s.o.Ask != nil:
		return s.o.Ask(fmt.Sprintf("%s. Listen at %d instead?", t, t.next))
	case s.o.Port > 0:
		return fmt.Errorf("%s\n  try: nexios dev --port %d", t, t.next)
	}
	return nil
}

// shownAddress is addr as a browser can open it.
func shownAddress(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// environ is the environment of the program as .env is now, which rules where
// ours says nothing.
func (s *server) environ() []string {
	env := slices.DeleteFunc(slices.Clone(s.o.Env), func(s string) bool { return strings.HasPrefix(s, "ADDR=") })
	if readSetting(s.dir, env, "APP_ENV") == "" {
		env = append(env, "APP_ENV=development")
	}
	return env
}

func (s *server) emit(e Event)     { s.feed.emit(e) }
func (s *server) note(text string) { s.emit(Event{Kind: KindNote, Text: text}) }

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
	s.forced = true
	s.begin(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.unread:
			return nil
		case path, ok := <-s.watch.paths:
			if !ok {
				return errors.New("the system stopped watching the project\n  try: nexios dev again")
			}
			s.saw(path)
		case <-s.watch.lost:
			s.note("the system lost track of changes; building everything")
			s.proxy.hold()
			s.forced = true
			s.quiet.Reset(debounce)
		case <-s.quiet.C:
			s.settle(ctx)
		case out := <-s.outcomes:
			s.finish(ctx, out)
		case a := <-s.gone:
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

// press does what a key asks for.
func (s *server) press(ctx context.Context, key string) {
	switch key {
	case keyRebuild:
		s.proxy.hold()
		s.forced, s.restart = true, true
		s.quiet.Reset(debounce)
	case keyTest:
		s.test(ctx)
	case keyOpen:
		s.browse(s.url + "/docs")
	case keyMigrate:
		s.migrate(ctx)
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
	if builds(name) {
		if strings.HasSuffix(name, "_test.go") {
			return needNothing
		}
		return needBuild
	}
	g := s.builder.known()
	if _, err := os.Lstat(path); err != nil && (g == nil && filepath.Ext(name) == "" || g != nil && g.below(path)) {
		return needBuild // a directory was moved away, of whose files the system tells nothing
	}
	embedder := g != nil && (len(g.embeds[path]) > 0 || g.mayEmbed(path))
	switch {
	case embedder && g.fromDisk(path) && readSetting(s.dir, s.environ(), "APP_ENV") == "development":
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
	if strings.HasSuffix(path, ".go") {
		s.rooms.changed(s.root, path)
	}
	need := s.classify(path)
	if need == needNothing {
		return
	}
	s.fresh[path] = true
	if need != needAssets {
		s.proxy.hold()
	}
	s.quiet.Reset(debounce)
}

// settle acts on what changed when it has become quiet.
func (s *server) settle(ctx context.Context) {
	var built, assets []string
	for path := range s.fresh {
		switch s.classify(path) {
		case needAssets:
			s.pending[path] = true // the program may hold a copy, which the next build makes new
			if _, err := os.Lstat(path); err == nil || asset(path) {
				assets = append(assets, relative(s.root, path)) // not what an editor made and removed
			}
		case needRestart:
			s.restart = true
			built = append(built, path)
		default:
			built = append(built, path)
		}
	}
	slices.Sort(assets)
	slices.Sort(built)
	if len(built) == 0 && !s.forced {
		clear(s.fresh)
		if len(assets) > 0 {
			state := s.live.state()
			state.Assets = assets
			s.live.tell(state)
			s.emit(Event{Kind: KindAssets, Files: assets})
		}
		return
	}
	if s.cancel != nil { // what is under way is stale
		s.settled = true
		s.cancel()
		return
	}
	s.begin(ctx)
}

// outcome is what an attempt ended with.
type outcome struct {
	result
	app       *app
	err       error // it was cancelled, or could not be tried
	cancelled bool
	paths     []string
	restart   bool
}

// begin starts an attempt to get what is there now running.
func (s *server) begin(ctx context.Context) {
	begun := time.Now()
	var files, paths []string
	news := !s.settled // of many saves in a row only what the first did not change is told
	for path := range s.fresh {
		news = news || !s.pending[path]
		files = append(files, relative(s.root, path))
		s.pending[path] = true
	}
	for path := range s.pending {
		paths = append(paths, path)
	}
	slices.Sort(files)
	slices.Sort(paths)
	if s.since.IsZero() {
		s.since = begun.Add(-savedAgo(keysOf(s.fresh), begun))
	}
	since := s.since
	clear(s.fresh)
	if len(files) > 0 && news {
		s.emit(Event{Kind: KindChange, Files: files})
	}
	s.proxy.hold()
	last := s.live.state()
	s.live.tell(status{State: "building", Version: last.Version})
	if s.testing != nil {
		s.testing()
	}
	s.count++
	id, forced, restart := s.count, s.forced, s.restart || s.current == nil
	s.forced, s.restart, s.settled = false, false, false
	attempt, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	go func() {
		out := s.attempt(attempt, id, paths, forced, restart)
		out.ID, out.Watch, out.Total = id, ms(begun.Sub(since)), ms(time.Since(since))
		out.cancelled = attempt.Err() != nil
		out.paths, out.restart = paths, restart
		s.outcomes <- out // the loop takes it, or shutdown
	}()
}

func keysOf(m map[string]bool) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	return list
}

// attempt builds and starts. It runs beside the loop, one at a time.
func (s *server) attempt(ctx context.Context, id int, paths []string, forced, restart bool) (out outcome) {
	if _, err := os.Stat(s.dir); err != nil {
		out.err = fmt.Errorf("the directory of the program is gone: %s\nwhen it is back, save a file in it", s.dir)
		return out
	}
	if forced {
		s.builder.forget()
	}
	out.result, out.err = s.builder.build(ctx, paths)
	if out.err != nil || out.failed() || ctx.Err() != nil || out.same && !restart {
		return out
	}
	if out.same {
		out.Mode, out.Why = modeRestart, ""
	}
	begun := time.Now()
	env, least := s.environ(), slog.LevelInfo
	if s.nexios {
		var logs []string
		logs, least = logSettings(s.dir, env)
		env = slices.Concat(env, logs)
	}
	out.app, out.err = launch(ctx, s.spawn, s.door, id, out.binary, s.dir, s.state, env, func(l line) bool { return s.heard(l, least) })
	out.Start = ms(time.Since(begun))
	if out.err == nil {
		return out
	}
	if ctx.Err() != nil || out.app == nil {
		out.app = nil
		return out
	}
	text := out.app.tail.String()
	out.Stage = stageStart
	if out.Errors = panicked(s.dir, text); len(out.Errors) == 0 {
		out.Output = strings.TrimSpace(lastLines(text, 30))
	}
	if out.err == errExited {
		out.Output = strings.TrimSpace(out.Output + "\nit ended with: " + out.app.how())
	} else {
		out.Output = strings.TrimSpace(out.Output + "\n" + out.err.Error())
	}
	out.app, out.err = nil, nil
	return out
}

// lastLines is the end of text.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// finish acts on the end of an attempt.
func (s *server) finish(ctx context.Context, out outcome) {
	s.cancel()
	s.cancel = nil
	if out.cancelled || s.settled {
		// A newer change came first. Should the attempt have been through in
		// that moment, its version must not be seen.
		if out.app != nil {
			s.retire(out.app)
		}
		s.restart = s.restart || out.restart || out.binary != "" && !out.same
		s.begin(ctx)
		return
	}
	s.since = time.Time{}
	if out.err != nil {
		out.Stage = stageBuild
		out.Output = out.err.Error()
	}
	if out.binary != "" && out.Stage != stageBuild {
		s.newest = out.binary
		for _, path := range out.paths {
			delete(s.pending, path)
		}
	}
	again := len(s.fresh) > 0 // requests go on waiting
	switch {
	case out.Stage != "":
		s.fail(out)
		if out.Stage == stageStart && s.nexios && s.migrationsChanged(out.paths) {
			go s.remind(ctx, out.binary, nil, true)
		}
	case out.app == nil:
		if s.current == nil { // it ended meanwhile
			s.begin(ctx)
			return
		}
		s.emit(Event{Kind: KindUnchanged})
		if !again {
			s.proxy.release(nil)
		}
		state := status{State: "ok", Version: s.proxy.version(s.current.id)}
		for _, path := range out.paths {
			if asset(path) {
				state.Assets = append(state.Assets, relative(s.root, path))
			}
		}
		s.live.tell(state)
	default:
		s.take(ctx, out, again)
	}
	if out.Stage != stageBuild {
		s.builder.improve(ctx, func(g *graph) {
			if err := s.watch.need(g.watched()); err != nil {
				s.note("a directory of the program cannot be watched: " + err.Error())
			}
		})
	}
}

// fail keeps the last good version and says why loudly. The next attempt must
// start the program even if it is the same one as now.
func (s *server) fail(out outcome) {
	s.restart = out.Stage == stageStart
	b := out.Build
	state := status{State: "failed", Build: &b}
	e := Event{Kind: KindFailed, Build: &b, Text: "  nothing answers until it does"}
	if s.current != nil {
		state.Version = s.proxy.version(s.current.id)
		e.Text = fmt.Sprintf("  version %d keeps answering; its answers say %s: failed", s.current.id, buildHeader)
	}
	s.live.tell(state)
	s.emit(e)
	s.proxy.release(&b)
}

// take makes a new version the one that answers.
func (s *server) take(ctx context.Context, out outcome, again bool) {
	first, changed := s.current == nil, s.migrationsChanged(out.paths)
	s.current = out.app
	// Told before it is done, while requests still wait: whoever hears of the
	// version and asks is answered by it.
	s.emit(Event{Kind: KindBuilt, Build: &out.Build})
	before := s.proxy.swap(out.app)
	if again {
		s.proxy.hold()
	}
	go func() {
		<-out.app.exited
		select {
		case s.gone <- out.app:
		case <-ctx.Done():
		}
	}()
	if before != nil {
		s.retire(before)
	}
	s.live.tell(status{State: "ok", Version: s.proxy.version(out.app.id)})
	if s.o.Test && len(s.rooms) > 0 {
		s.test(ctx)
	}
	if s.nexios {
		go s.remind(ctx, out.binary, out.app, changed)
	}
	if first && s.o.Open && !s.opened {
		s.opened = true
		s.browse(s.url)
	}
}

// retire ends a version in the background; shutdown waits for it.
func (s *server) retire(a *app) {
	s.retired.Go(func() { a.retire(s.o.drain) })
}

// crashed acts on a version that ended by itself.
func (s *server) crashed(ctx context.Context, a *app) {
	if s.current != a {
		return
	}
	s.current = nil
	why := "the program ended by itself: " + a.how()
	s.proxy.lose(a, why)
	s.emit(Event{Kind: KindExit, Text: why})
	if s.cancel != nil {
		return // what is under way will take its place
	}
	if time.Since(a.started) < crashPause {
		b := Build{ID: a.id, Stage: stageStart, Errors: panicked(s.dir, a.tail.String()), Output: why}
		s.live.tell(status{State: "down", Build: &b})
		s.note("it will start again with the next change, or with r")
		return
	}
	s.restart = true
	s.begin(ctx)
}

// test runs the tests of what changed, after cancelling those under way.
func (s *server) test(ctx context.Context) {
	list := s.rooms.list()
	if len(list) == 0 {
		s.note("no package changed since its tests passed")
		return
	}
	if s.testing != nil {
		s.testing()
	}
	quit := ctx.Done()
	ctx, cancel := context.WithCancel(ctx)
	s.testing = cancel
	s.note("testing " + short(list))
	go func() {
		defer cancel()
		t, err := testRooms(ctx, s.spawn, s.root, list)
		select {
		case <-quit:
			return
		default:
		}
		if ctx.Err() != nil {
			s.note("the tests of " + short(list) + " were stopped: something newer came first")
			return
		}
		if err != nil {
			s.note("the tests cannot be run: " + err.Error())
			return
		}
		s.do(ctx, func() {
			if t.OK {
				for _, dir := range list {
					delete(s.rooms, dir)
				}
			}
			s.emit(Event{Kind: KindTest, Test: &t})
		})
	}()
}

func (s *server) browse(url string) {
	openBrowser(url, func() { s.note("no browser can be opened; it is at " + url) })
}

// remind tells what stands between a program and its database: migrations that
// wait, if a version says that it is not ready, and, when they may have changed,
// those that the database has and the program has no more.
func (s *server) remind(ctx context.Context, binary string, a *app, changed bool) {
	ready := true
	if a != nil {
		status, err := a.get(ctx, "/readyz")
		ready = err != nil || status != http.StatusServiceUnavailable
	}
	if ready && !changed {
		return
	}
	pending, unknown := s.migrations(ctx, binary)
	if !ready && pending > 0 {
		do := "run: go run . migrate up"
		if s.screen != nil {
			do = "press m"
		}
		s.note(fmt.Sprintf("the program is not ready: %d of its migrations are pending; %s", pending, do))
	}
	if changed && len(unknown) > 0 {
		s.note("migrated, but gone from the program: " + short(unknown) +
			"\n  what it made stays: take it back by hand, or begin with an empty database" +
			"\n  before the next nexios undo: go run . migrate down")
	}
}

// migrationsChanged says whether the migrations may be others than when the
// database was last asked.
func (s *server) migrationsChanged(paths []string) bool {
	return s.current == nil || slices.ContainsFunc(paths, func(path string) bool {
		return filepath.Base(filepath.Dir(path)) == "migrations"
	})
}

// migrate applies the pending migrations of the newest program, which may be
// one that does not start without them.
func (s *server) migrate(ctx context.Context) {
	if !s.nexios || s.newest == "" {
		s.note("there is nothing to migrate with: no program was built, or it has no migrate command")
		return
	}
	binary := s.newest
	go func() {
		out, err := s.ask(ctx, binary, "migrate", "up")
		for line := range strings.Lines(out) {
			s.emit(Event{Kind: KindLog, Text: strings.TrimRight(line, "\r\n")})
		}
		if err != nil {
			s.note("the migrations did not all run: " + err.Error())
			return
		}
		s.note("the database is up to date")
		s.do(ctx, func() {
			if s.restart || s.current == nil { // it did not start
				s.press(ctx, keyRebuild)
			}
		})
	}()
}

// shutdown ends everything that runs. The loop is over. Who quit by a key makes
// it hurry by ending outer, with ctrl-c.
func (s *server) shutdown(outer context.Context) {
	if s.cancel != nil {
		s.cancel()
		if out := <-s.outcomes; out.app != nil {
			out.app.stop()
		}
	}
	if s.testing != nil {
		s.testing()
	}
	if s.door != nil {
		s.door.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), quitLimit)
	defer cancel()
	if outer.Err() == nil {
		defer context.AfterFunc(outer, cancel)()
	}
	waiting := time.AfterFunc(quitPause, s.sayWaiting)
	defer waiting.Stop()
	s.proxy.release(nil)
	s.live.close()
	if s.current != nil {
		s.current.streams.close()
	}
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // what is cut is cut
	}
	if s.current != nil {
		s.current.retire(s.o.drain)
	}
	s.retired.Wait()
}

// sayWaiting tells a person who quit why it takes so long. The screen is gone.
func (s *server) sayWaiting() {
	const text = "waiting for answers under way; ctrl-c cuts them"
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
	s.watch.close()
	s.builder.forget()
	s.feed.close()
	if s.screen != nil {
		s.screen.close()
	}
	s.spawn.close()
	_ = os.RemoveAll(s.state) // the next run sweeps what is left
}

// view is what the page at /dev shows now.
func (s *server) view() devView {
	v := devView{
		Project: filepath.Base(s.dir), Address: s.url, State: s.live.state(),
		Settings: settings(s.dir, s.environ()),
	}
	v.Routes, v.NoRoutes = s.routes.get(s)
	if a := s.proxy.running(); a != nil {
		v.Panels = panels(a, v.Routes)
	}
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	v.Requests = newest(s.board.requests, requestsKept)
	v.Logs = newest(s.board.logs, requestsKept)
	v.Build, v.Failed, v.Test = s.board.build, s.board.failed, s.board.test
	if v.Build != nil {
		v.Parts = v.Build.parts()
	}
	return v
}

// stateDir makes a directory for this process and sweeps those of others that
// were killed.
func stateDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	all := filepath.Join(cache, "nexios", "dev")
	if err := os.MkdirAll(all, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(all)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry.Name(), "-")
		if pid, err := strconv.Atoi(name); err == nil && pid != os.Getpid() && !alive(pid) {
			_ = os.RemoveAll(filepath.Join(all, entry.Name())) // another one may sweep as well
		}
	}
	return os.MkdirTemp(all, strconv.Itoa(os.Getpid())+"-")
}
