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
	o.glance = cmp.Or(o.glance, glance)
	s := &server{
		o:        o,
		board:    &board{},
		changes:  newChanges(),
		trying:   trying{outcomes: make(chan outcome)},
		versions: versions{gone: make(chan *process.App)},
		keys:     make(chan string),
		later:    make(chan func()),
		rooms:    rooms{},
		unread:   make(chan struct{}),
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
		if err := s.agree(taken); err != nil {
			listener.Close()
			return nil, err
		}
		note = fmt.Sprintf("%s; listening at %d instead", taken, taken.Next)
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
		return &problem.Error{
			Kind: problem.Failure, What: fmt.Sprintf("no directory for build output: %v", err), Err: err,
			Where: "the cache directory", Try: "XDG_CACHE_HOME=/var/tmp/cache nexios dev",
		}
	}
	if s.spawn, err = process.NewSpawner(s.state); err != nil {
		return err
	}
	if s.watch, err = newWatcher(s.root, s.o.Poll, s.o.glance); err != nil {
		return &problem.Error{
			Kind: problem.Failure, What: fmt.Sprintf("the project cannot be watched: %v", err), Err: err,
			Where: "fs.inotify.max_user_watches, which sudo sysctl fs.inotify.max_user_watches=524288 raises", Try: "nexios dev --poll",
		}
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
	s.builder = build.New(s.spawn, s.dir, s.state, s.o.Delve, s.watch.dirs)
	s.builder.Progress = func(p build.Progress) {
		s.emit(event.Event{Kind: event.KindBuilding, Text: progress(p)})
	}
	s.proxy = proxy.New(strconv.FormatInt(time.Now().UnixMilli(), 36), s.feed.emit)
	s.live = proxy.NewLive(filepath.Base(s.dir))
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+proxy.ScriptPath, local(s.live.Script))
	mux.HandleFunc("GET "+proxy.LivePath, local(s.live.ServeHTTP))
	mux.HandleFunc("GET /dev", private(serveDev(s.view)))
	s.proxy.Own = mux
	ahead := &unasked{}
	s.http = &http.Server{Handler: s.proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), ConnState: ahead.note}
	s.http.RegisterOnShutdown(ahead.close)
	go func() { _ = s.http.Serve(listener) }() // ends when it is closed
	if err := s.sign(); err != nil {
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
	if s.door, taken, err = process.OpenDoor(dlv, s.note); err != nil {
		return err
	}
	s.emit(event.Event{Kind: event.KindDebugger, Address: s.door.Listener.Addr().String()})
	if taken != nil {
		s.note(fmt.Sprintf("%s; the debugger listens at %d instead", taken, taken.Next))
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
	if why := noProgram(dir); why != "" {
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

// agree says whether another port than the one that is taken will do: the
// person decides. Where there is nobody to ask, it will do unless the port was
// asked for by its number.
func (s *server) agree(t *process.TakenPort) error {
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

// statesDir holds the directory of each development server of this user.
func statesDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "nexios", "dev")
}

// stateDir makes a directory for this process and sweeps those of others that
// were killed.
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
			_ = os.RemoveAll(filepath.Join(all, entry.Name())) // another one may sweep as well
		}
	}
	return os.MkdirTemp(all, strconv.Itoa(os.Getpid())+"-")
}
