package reload

import (
	"cmp"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"
	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"
	"github.com/nexios-go/nexios/scaffold/problem"
)

func newServer(o Options) (*server, error) {
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	o.drain = cmp.Or(o.drain, process.DrainLimit)
	o.fallbackPoll = cmp.Or(o.fallbackPoll, fallbackPoll)
	s := &server{
		o:            o,
		board:        &board{},
		changes:      newChanges(),
		inFlight:     inFlight{outcomes: make(chan outcome)},
		versions:     versions{gone: make(chan *process.App)},
		keys:         make(chan string),
		calls:        make(chan func()),
		untested:     untested{},
		outputClosed: make(chan struct{}),
	}
	if err := s.find(); err != nil {
		return nil, err
	}
	dlv := ""
	if o.Delve {
		var err error
		if dlv, err = process.FindDlv(); err != nil {
			return nil, err
		}
	}
	host, port, err := s.address()
	if err != nil {
		return nil, err
	}
	listener, taken, err := process.Listen(host, port)
	if err != nil {
		return nil, err
	}
	note := ""
	if taken != nil {
		if err := s.confirmPort(taken); err != nil {
			listener.Close()
			return nil, err
		}
		note = fmt.Sprintf("%s; listening at %d instead", taken, taken.Next)
	}
	s.url = "http://" + displayAddress(listener.Addr())
	if err := s.open(listener, note, dlv); err != nil {
		listener.Close()
		return nil, err
	}
	return s, nil
}

// open acquires everything that close releases.
func (s *server) open(listener net.Listener, note, dlv string) (err error) {
	if s.state, err = stateDir(); err != nil {
		return &problem.Error{
			Kind: problem.Failure, What: fmt.Sprintf("no directory for build output: %v", err), Err: err,
			Where: "the cache directory", Try: "XDG_CACHE_HOME=/var/tmp/cache nexios dev",
		}
	}
	if s.spawn, err = process.NewSpawner(s.state); err != nil {
		return err
	}
	if s.watch, err = newWatcher(s.root, s.o.Poll, s.o.fallbackPoll); err != nil {
		return &problem.Error{
			Kind: problem.Failure, What: fmt.Sprintf("the project cannot be watched: %v", err), Err: err,
			Where: "fs.inotify.max_user_watches, which sudo sysctl fs.inotify.max_user_watches=524288 raises", Try: "nexios dev --poll",
		}
	}
	out := &watchedWriter{w: s.o.Stdout, outputClosed: s.outputClosed}
	show := plainWriter(out)
	switch s.o.Show {
	case ShowJSON:
		show = jsonWriter(out)
	case ShowScreen:
		s.screen = newScreen(filepath.Base(s.dir), s.url, s.o.Stdin, s.o.Stdout, s.keys)
		show = s.screen.show
	}
	s.feed = newFeed(s.board.note, show)
	s.builder = build.New(s.spawn, s.dir, s.state, s.o.Delve, s.watch.dirs)
	s.builder.Progress = func(p build.Progress) {
		s.emit(event.Event{Kind: event.KindBuilding, Text: progress(p)})
	}
	s.proxy = proxy.New(strconv.FormatInt(time.Now().UnixMilli(), 36), s.feed.emit)
	s.live = proxy.NewLive(filepath.Base(s.dir))
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+proxy.ScriptPath, rejectRebinding(s.live.Script))
	mux.HandleFunc("GET "+proxy.LivePath, rejectRebinding(s.live.ServeHTTP))
	mux.HandleFunc("GET /dev", loopbackOnly(serveDev(s.view)))
	s.proxy.Own = mux
	idle := &idleConns{}
	s.http = &http.Server{Handler: s.proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), ConnState: idle.note}
	s.http.RegisterOnShutdown(idle.close)
	go func() { _ = s.http.Serve(listener) }() // returns when it is closed
	if err := s.writeLocation(); err != nil {
		return err
	}
	s.emit(event.Event{Kind: event.KindListening, URL: s.url})
	if note != "" {
		s.note(note)
	}
	if dlv == "" {
		return nil
	}
	var taken *process.TakenPort
	if s.debug, taken, err = process.OpenDebugPort(dlv, s.note); err != nil {
		return err
	}
	s.emit(event.Event{Kind: event.KindDebugger, Address: s.debug.Listener.Addr().String()})
	if taken != nil {
		s.note(fmt.Sprintf("%s; the debugger listens at %d instead", taken, taken.Next))
	}
	return nil
}

// find locates the program and its module.
func (s *server) find() error {
	dir, err := filepath.Abs(s.o.Dir)
	if err != nil {
		return err
	}
	if s.o.Dir == "" {
		dir = findProjectDir(dir)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return &problem.Error{Kind: problem.Failure, What: "there is no directory " + s.o.Dir, Try: "nexios dev"}
	}
	s.dir = dir
	for s.root = dir; ; s.root = filepath.Dir(s.root) {
		if _, err := os.Stat(filepath.Join(s.root, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(s.root) == s.root {
			return &problem.Error{Kind: problem.Failure, What: "there is no go.mod", Where: dir + " or above it", Try: "nexios dev --dir blog"}
		}
	}
	if why := whyNoProgram(dir); why != "" {
		return &problem.Error{Kind: problem.Failure, What: "there is no program in " + dir, Where: why, Try: "name the directory of main.go with nexios dev --dir"}
	}
	if _, err := exec.LookPath("go"); err != nil {
		return &problem.Error{Kind: problem.Failure, What: "the go command was not found", Where: "PATH", Try: "install Go from https://go.dev/dl"}
	}
	s.nexios = isProject(dir)
	return nil
}

func isProject(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "nexios.json"))
	return err == nil
}

// findProjectDir returns the nearest directory, from dir upwards, that contains a
// project, or dir if there is none.
func findProjectDir(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if isProject(at) {
			return at
		}
		if filepath.Dir(at) == at {
			return dir
		}
	}
}

// whyNoProgram returns why the files in dir are not a program, or "". A file that cannot
// be parsed yet may become part of one.
func whyNoProgram(dir string) string {
	found, _ := filepath.Glob(filepath.Join(dir, "*.go")) // fails only for a bad pattern
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

// address returns where to listen: as the options say, or where the program would.
func (s *server) address() (host string, port int, err error) {
	host, port = "127.0.0.1", 8000
	if addr := readSetting(s.dir, s.o.Env, "ADDR"); addr != "" && !strings.HasPrefix(addr, "unix:") {
		h, p, err := net.SplitHostPort(addr)
		if err == nil {
			port, err = strconv.Atoi(p)
		}
		if err != nil {
			return "", 0, &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("ADDR is not an address: %q", addr), Where: "the environment or .env", Try: "ADDR=127.0.0.1:8000"}
		}
		host = h
	}
	host = cmp.Or(s.o.Host, host)
	switch {
	case s.o.Port == AnyPort:
		port = 0
	case s.o.Port != 0:
		port = s.o.Port
	}
	if port < 0 || port > 65535 {
		return "", 0, &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("%d is not a valid port", port), Try: "nexios dev --port 8000"}
	}
	return host, port, nil
}

// confirmPort decides whether to use another port when the requested one is in use. It
// asks the user; without one it agrees, unless the port was given as a number.
func (s *server) confirmPort(t *process.TakenPort) error {
	switch {
	case s.o.Yes:
		return nil
	case s.o.Ask != nil:
		return s.o.Ask(fmt.Sprintf("%s. Listen at %d instead?", t, t.Next))
	case s.o.Port > 0:
		return &problem.Error{Kind: problem.Failure, What: t.String(), Try: fmt.Sprintf("nexios dev --port %d", t.Next)}
	}
	return nil
}

// displayAddress returns addr in a form that a browser can open.
func displayAddress(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// environ returns the environment of the program: ours without ADDR, and with
// APP_ENV=development if neither it nor the current .env sets APP_ENV.
func (s *server) environ() []string {
	env := slices.DeleteFunc(slices.Clone(s.o.Env), func(s string) bool { return strings.HasPrefix(s, "ADDR=") })
	if readSetting(s.dir, env, "APP_ENV") == "" {
		env = append(env, "APP_ENV=development")
	}
	return env
}

// statesDir returns the parent of the state directories of this user's development
// servers.
func statesDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "nexios", "dev")
}

// stateDir creates a directory for this process and removes those of killed ones.
func stateDir() (string, error) {
	all := statesDir()
	if err := os.MkdirAll(all, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(all)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry.Name(), "-")
		if pid, err := strconv.Atoi(name); err == nil && pid != os.Getpid() && !process.Alive(pid) {
			_ = os.RemoveAll(filepath.Join(all, entry.Name())) // another process may be removing it as well
		}
	}
	return os.MkdirTemp(all, strconv.Itoa(os.Getpid())+"-")
}
