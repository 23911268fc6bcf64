package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readyLimit = 30 * time.Second // from the start of the program to its first answer
	DrainLimit = 60 * time.Second // for answers under way when a newer version has taken over: what the runtime allows an answer
	stopLimit  = 10 * time.Second // from SIGTERM to SIGKILL
	// streamPart of the time for answers is how long streams wait for them: what
	// still talks to old code would otherwise do so for a minute.
	streamPart = 6
)

// Spawner starts processes, each the head of a group that ends with it.
//
// It does so from one thread that lives as long as we do: Linux ties "kill the
// child when the parent dies" to the thread that made the child, and Go ends
// idle threads.
type Spawner struct {
	work chan func()
	ties ties
	temp string // where tools put their temporary files
}

// NewSpawner makes a Spawner whose tools put their temporary files below temp.
func NewSpawner(temp string) (*Spawner, error) {
	t, err := newTies()
	if err != nil {
		return nil, err
	}
	s := &Spawner{work: make(chan func()), ties: t, temp: temp}
	go func() {
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	}()
	return s, nil
}

// Close ends the thread, when nothing is started any more.
func (s *Spawner) Close() {
	close(s.work)
	s.ties.close()
}

// start starts cmd at the head of a new group. Cancelling cmd's context kills
// the group.
func (s *Spawner) start(cmd *exec.Cmd) (group, error) {
	var g group
	var mu sync.Mutex
	if cmd.Cancel != nil {
		cmd.Cancel = func() error {
			mu.Lock() // not before the group is known
			defer mu.Unlock()
			g.kill()
			return nil
		}
		cmd.WaitDelay = time.Second
	}
	done := make(chan error)
	s.work <- func() {
		mu.Lock()
		defer mu.Unlock()
		s.ties.prepare(cmd)
		err := cmd.Start()
		if err == nil {
			if g, err = s.ties.tie(cmd); err != nil {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
		}
		done <- err
	}
	err := <-done
	mu.Lock()
	defer mu.Unlock()
	return g, err
}

// Output runs a tool to its end and returns what it wrote, on both outputs.
// With an error that is not an *exec.ExitError it could not be run at all.
func (s *Spawner) Output(cmd *exec.Cmd) (string, error) { return s.collect(cmd, false) }

// OutputLow is output at a low priority.
func (s *Spawner) OutputLow(cmd *exec.Cmd) (string, error) { return s.collect(cmd, true) }

func (s *Spawner) collect(cmd *exec.Cmd, low bool) (string, error) {
	var out bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &out
	}
	if cmd.Env == nil { // the go command, which clears up after itself unless it is killed; /tmp may be read-only
		temp, err := os.MkdirTemp(s.temp, "tmp-")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(temp)
		cmd.Env = append(cmd.Environ(), "GOTMPDIR="+temp, "TMPDIR="+temp)
	}
	g, err := s.start(cmd)
	if err != nil {
		return "", err
	}
	if low {
		g.lower()
	}
	err = cmd.Wait()
	s.ties.untie(g)
	return out.String(), err
}

// App is one running version of the program.
type App struct {
	ID        int
	Binary    string
	debug     *debugger // nil without
	network   string    // "unix" or "tcp"
	address   string
	Transport *http.Transport
	group     group
	cmd       *exec.Cmd
	Started   time.Time
	Exited    chan struct{} // closed when the process is gone
	Tail      *tail         // the last it wrote on standard error
	// structured is set when it has written a record: others of its requests
	// can be waited for.
	Structured atomic.Bool

	Requests sync.WaitGroup // plain requests under way; added to under the proxy's lock
	Streams  Streams        // the connections that never end by themselves
}

// Launch starts binary as version id in dir, listening at a private address,
// and passes each line it writes to hear, which says whether a person sees it.
// Behind door d, if there is one, it is debugged. It returns when the program
// answers, or with an error when it ends or stays silent.
func Launch(ctx context.Context, s *Spawner, d *Door, id int, binary, dir, state string, env []string, hear func(Line) bool) (*App, error) {
	network, address, err := privateAddress(state, "app-"+strconv.Itoa(id))
	if err != nil {
		return nil, err
	}
	addr := address
	if network == "unix" {
		addr = "unix:" + address
	}
	a := &App{
		ID: id, Binary: binary, network: network, address: address,
		Exited: make(chan struct{}),
		Tail:   &tail{limit: 64 << 10},
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	a.Transport = &http.Transport{
		DialContext:         dial,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     3 * time.Second, // well under any server's own, so that it never closes one we are about to use
		DisableCompression:  true,
	}
	read := func(text string) (string, bool) {
		l := readLine(text)
		if l.Record {
			a.Structured.Store(true)
		}
		return l.Text, hear(l)
	}
	out := lineWriter(func(text string) { read(text) })
	errs := lineWriter(func(text string) {
		if text, seen := read(text); seen {
			_, _ = a.Tail.Write([]byte(text + "\n")) // it cannot fail
		}
	})
	a.cmd = exec.Command(binary)
	if d != nil {
		if err := d.newDebugger(a, binary, state); err != nil {
			return nil, err
		}
	}
	a.cmd.Dir = dir
	// Nobody but the proxy connects there, which to the program is 127.0.0.1.
	a.cmd.Env = append(env, "ADDR="+addr, "TRUSTED_PROXIES=127.0.0.1")
	a.cmd.Stdout = out
	a.cmd.Stderr = errs
	a.cmd.WaitDelay = time.Second // a grandchild may hold the outputs open
	a.Started = time.Now()
	if a.group, err = s.start(a.cmd); err != nil {
		return nil, err
	}
	go func() {
		_ = a.cmd.Wait() // how it ended is in ProcessState
		out.flush()
		errs.flush()
		a.kill() // what it left behind
		s.ties.untie(a.group)
		if network == "unix" {
			_ = os.Remove(address)
		}
		close(a.Exited)
	}()
	if a.debug != nil {
		go a.debug.follow(s.ties)
	}
	if err := a.ready(ctx); err != nil {
		a.kill()
		<-a.Exited
		return a, err
	}
	if a.debug != nil {
		<-a.debug.followed // soon: the program runs, or has ended
	}
	return a, nil
}

// ErrExited is a program that ended before it answered.
var ErrExited = errors.New("the program ended before it answered")

// Get asks the version itself and returns the status of its answer.
func (a *App) Get(ctx context.Context, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://app"+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set(RequestIDHeader, OwnRequest)
	answer, err := a.Transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// ready returns when the program answers /healthz with anything but 503: a
// program without that path is ready when it answers at all.
func (a *App) ready(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for limit := time.Tick(readyLimit); ; {
			select {
			case <-a.Exited:
				cancel(ErrExited)
			case <-limit:
				if a.debug.stopped() {
					continue
				}
				cancel(fmt.Errorf("no answer from the program for %v: does it listen on ADDR?", readyLimit))
			case <-ctx.Done():
			}
			return
		}
	}()
	pause := time.Millisecond
	for {
		if status, err := a.Get(ctx, "/healthz"); err == nil && status != http.StatusServiceUnavailable {
			return nil
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 20*time.Millisecond)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// How says how the process ended, once it has.
func (a *App) How() string {
	if exit := a.debug.ended(); exit != "" {
		return exit
	}
	if a.cmd.ProcessState == nil {
		return "unknown"
	}
	return a.cmd.ProcessState.String()
}

// Retire ends a version that serves no new requests: it lets its answers end,
// asks the process to stop, and kills its group when it does not.
func (a *App) Retire(limit time.Duration) {
	a.drain(limit)
	a.Transport.CloseIdleConnections()
	a.Stop()
}

// drain waits for the answers under way and closes the streams. Answers that
// take long are waited for without the streams, and not for longer than limit,
// unless somebody looks with a debugger at how one is made.
func (a *App) drain(limit time.Duration) {
	over, idle := time.Tick(limit), make(chan struct{})
	go func() { a.Requests.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-a.Exited:
	case <-time.After(limit / streamPart):
	}
	a.Streams.Close()
	for {
		select {
		case <-idle:
		case <-a.Exited:
		case <-over:
			if a.debug.inspected() {
				continue
			}
		}
		return
	}
}

// Stop asks the process to end and returns when it and its group are gone.
func (a *App) Stop() {
	switch {
	case a.debug == nil:
		a.group.interrupt()
	case a.debug.stopped():
		a.kill() // it cannot do what it is asked for
	default:
		a.debug.interrupt()
	}
	select {
	case <-a.Exited:
	case <-time.After(stopLimit):
		a.kill()
		<-a.Exited
	}
}

// kill ends the process and its group at once.
func (a *App) kill() {
	if a.debug != nil {
		a.debug.kill()
	}
	a.group.kill()
}

// privateAddress is where something of that name listens: a socket in the state
// directory, or a loopback port where sockets have no path short enough.
func privateAddress(state, name string) (network, address string, err error) {
	path := filepath.Join(state, name+".sock")
	if runtime.GOOS != "windows" && len(path) < 100 { // the limit is 104 bytes on macOS, 108 on Linux
		_ = os.Remove(path)
		return "unix", path, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer l.Close()
	return "tcp", l.Addr().String(), nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu    sync.Mutex
	limit int
	text  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - t.limit; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// lineLimit is how many bytes of a line are read; the rest of it is left out.
const lineLimit = 256 << 10

// lines calls a function for each line written to it.
type lines struct {
	mu   sync.Mutex
	rest []byte
	line func(string)
}

func lineWriter(line func(string)) *lines { return &lines{line: line} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for part := range bytes.Lines(p) {
		text, whole := bytes.CutSuffix(part, []byte("\n"))
		l.rest = append(l.rest, text[:min(len(text), lineLimit-len(l.rest))]...)
		if whole {
			l.line(strings.TrimRight(string(l.rest), "\r"))
			l.rest = l.rest[:0]
		}
	}
	return len(p), nil
}

func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.line(string(l.rest))
		l.rest = nil
	}
}

const (
	RequestIDHeader = "X-Request-Id"
	// OwnRequest is the id of requests that are ours: nobody asks about them.
	OwnRequest = "nexios-dev"
)
