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
	readyLimit = 30 * time.Second // from the start of the program to its first response
	DrainLimit = 60 * time.Second // for requests in progress after a swap: the limit of the runtime for a response
	stopLimit  = 10 * time.Second // from SIGTERM to SIGKILL
	// streamShare is the divisor of the drain time after which streams are closed:
	// otherwise their clients would talk to old code for a minute.
	streamShare = 6
)

// Spawner starts processes, each the leader of a process group that ends with it.
//
// It starts them from one OS thread that lives as long as the server: on Linux,
// PR_SET_PDEATHSIG refers to the thread that created the child, and Go ends idle
// threads.
type Spawner struct {
	work    chan func()
	cleanup cleanup
	temp    string // parent of the temporary directories of tools
}

// NewSpawner returns a Spawner whose tools put their temporary files below temp.
func NewSpawner(temp string) (*Spawner, error) {
	t, err := newCleanup()
	if err != nil {
		return nil, err
	}
	s := &Spawner{work: make(chan func()), cleanup: t, temp: temp}
	go func() {
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	}()
	return s, nil
}

// Close ends the thread. Nothing can be started afterwards.
func (s *Spawner) Close() {
	close(s.work)
	s.cleanup.close()
}

// start starts cmd as the leader of a new process group. Cancelling cmd's context kills
// the group.
func (s *Spawner) start(cmd *exec.Cmd) (group, error) {
	var g group
	var mu sync.Mutex
	if cmd.Cancel != nil {
		cmd.Cancel = func() error {
			mu.Lock() // wait until the group is known
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
		s.cleanup.prepare(cmd)
		err := cmd.Start()
		if err == nil {
			if g, err = s.cleanup.add(cmd); err != nil {
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

// Output runs a tool and returns its combined stdout and stderr. An error other than
// *exec.ExitError means that it could not run.
func (s *Spawner) Output(cmd *exec.Cmd) (string, error) { return s.collect(cmd, false) }

// OutputLow is Output at a low priority.
func (s *Spawner) OutputLow(cmd *exec.Cmd) (string, error) { return s.collect(cmd, true) }

func (s *Spawner) collect(cmd *exec.Cmd, low bool) (string, error) {
	var out bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &out
	}
	if cmd.Env == nil { // the go command, which removes its temporary files unless it is killed; /tmp may be read-only
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
	s.cleanup.remove(g)
	return out.String(), err
}

// App is a running version of the program.
type App struct {
	ID        int
	Binary    string
	debug     *debugger // nil without Delve
	network   string    // "unix" or "tcp"
	address   string
	Transport *http.Transport
	group     group
	cmd       *exec.Cmd
	Started   time.Time
	Exited    chan struct{} // closed when the process has exited
	Tail      *tail         // the end of its stderr
	// Structured is set once the program has written a JSON record: then it is worth
	// waiting for the records of a request.
	Structured atomic.Bool

	Requests sync.WaitGroup // ordinary requests in progress; incremented under the proxy's lock
	Streams  Streams        // connections that do not end on their own
}

// Launch starts binary as version id in dir, listening at a private address. It passes
// each line of output to onLine, which reports whether the line is shown. If d is not
// nil, the program runs under dlv. Launch returns when the program responds, or with an
// error if it exits or does not respond.
func Launch(ctx context.Context, s *Spawner, d *DebugPort, id int, binary, dir, state string, env []string, onLine func(Line) bool) (*App, error) {
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
		IdleConnTimeout:     3 * time.Second, // much shorter than server timeouts, so that no server closes a connection we are about to use
		DisableCompression:  true,
	}
	read := func(text string) (string, bool) {
		l := readLine(text)
		if l.Record {
			a.Structured.Store(true)
		}
		return l.Text, onLine(l)
	}
	out := lineWriter(func(text string) { read(text) })
	errs := lineWriter(func(text string) {
		if text, shown := read(text); shown {
			_, _ = a.Tail.Write([]byte(text + "\n")) // never fails
		}
	})
	a.cmd = exec.Command(binary)
	if d != nil {
		if err := d.newDebugger(a, binary, state); err != nil {
			return nil, err
		}
	}
	a.cmd.Dir = dir
	// Only the proxy connects to that address; to the program it is 127.0.0.1.
	a.cmd.Env = append(env, "ADDR="+addr, "TRUSTED_PROXIES=127.0.0.1")
	a.cmd.Stdout = out
	a.cmd.Stderr = errs
	a.cmd.WaitDelay = time.Second // a grandchild may keep the outputs open
	a.Started = time.Now()
	if a.group, err = s.start(a.cmd); err != nil {
		return nil, err
	}
	go func() {
		_ = a.cmd.Wait() // ProcessState has the result
		out.flush()
		errs.flush()
		a.kill() // kill leftovers of the group
		s.cleanup.remove(a.group)
		if network == "unix" {
			_ = os.Remove(address)
		}
		close(a.Exited)
	}()
	if a.debug != nil {
		go a.debug.monitor(s.cleanup)
	}
	if err := a.ready(ctx); err != nil {
		a.kill()
		<-a.Exited
		return a, err
	}
	if a.debug != nil {
		<-a.debug.ready // soon: the program runs or has exited
	}
	return a, nil
}

// ErrExited means that the program exited before it responded.
var ErrExited = errors.New("the program ended before it answered")

// Get sends a request to the program itself and returns the status of the response.
func (a *App) Get(ctx context.Context, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://app"+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set(RequestIDHeader, OwnRequest)
	response, err := a.Transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// ready returns when /healthz responds with any status but 503. A program without that
// path is ready when it responds at all.
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

// ExitStatus returns how the process exited, once it has.
func (a *App) ExitStatus() string {
	if exit := a.debug.ended(); exit != "" {
		return exit
	}
	if a.cmd.ProcessState == nil {
		return "unknown"
	}
	return a.cmd.ProcessState.String()
}

// Retire stops a version that gets no new requests: it lets requests in progress
// finish, interrupts the process, and kills its group if it does not exit.
func (a *App) Retire(limit time.Duration) {
	a.drain(limit)
	a.Transport.CloseIdleConnections()
	a.Stop()
}

// drain waits for requests in progress and closes streams. After a part of limit it
// closes the streams and waits only for the requests, for at most limit, unless someone
// is debugging one.
func (a *App) drain(limit time.Duration) {
	deadline, idle := time.Tick(limit), make(chan struct{})
	go func() { a.Requests.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-a.Exited:
	case <-time.After(limit / streamShare):
	}
	a.Streams.Close()
	for {
		select {
		case <-idle:
		case <-a.Exited:
		case <-deadline:
			if a.debug.inspected() {
				continue
			}
		}
		return
	}
}

// Stop interrupts the process and returns when it and its group have exited.
func (a *App) Stop() {
	switch {
	case a.debug == nil:
		a.group.interrupt()
	case a.debug.stopped():
		a.kill() // a halted program cannot handle the signal
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

// kill kills the process and its group.
func (a *App) kill() {
	if a.debug != nil {
		a.debug.kill()
	}
	a.group.kill()
}

// privateAddress returns an address to listen on: a socket in the state directory, or a
// loopback port where there are no Unix sockets or the path is too long.
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

// tail keeps the last limit bytes written to it.
type tail struct {
	mu    sync.Mutex
	limit int
	text  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if excess := len(t.text) - t.limit; excess > 0 {
		t.text = append(t.text[:0], t.text[excess:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// lineLimit is the maximum length of a line in bytes; the rest is dropped.
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
		text, complete := bytes.CutSuffix(part, []byte("\n"))
		l.rest = append(l.rest, text[:min(len(text), lineLimit-len(l.rest))]...)
		if complete {
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
	// OwnRequest is the request ID of the server's own requests, which are not shown.
	OwnRequest = "nexios-dev"
)
