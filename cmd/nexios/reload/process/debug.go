package process

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/shirou/gopsutil/v4/process"
)

const (
	// DlvModule is the debugger to install, at a version that is known to work.
	DlvModule = "github.com/go-delve/delve/cmd/dlv@v1.27.2"
	// dlvPort is the default port of dlv, which editors use.
	dlvPort = 2345
	// pollInterval is the interval at which dlv is polled for the state of its program.
	pollInterval = 100 * time.Millisecond
	// responseLimit is how long to wait for a response of dlv.
	responseLimit = time.Second
	// DlvEnded is the line that dlv prints when its program exits, as with every swap.
	DlvEnded = "Stop reason: exited"
)

// FindDlv returns the path of dlv: on the PATH or where `go install` puts it.
func FindDlv() (string, error) {
	if path, err := exec.LookPath("dlv"); err == nil {
		return path, nil
	}
	out, err := exec.Command("go", "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find out where go installs programs: %w", err)
	}
	bin, gopath, _ := strings.Cut(string(out), "\n")
	if bin = strings.TrimSpace(bin); bin == "" {
		list := filepath.SplitList(strings.TrimSpace(gopath))
		bin = filepath.Join(list[0], "bin")
	}
	if path, err := exec.LookPath(filepath.Join(bin, "dlv"+ExeSuffix)); err == nil {
		return path, nil
	}
	return "", &problem.Error{Kind: problem.Failure, What: "dlv, the debugger, was not found", Where: "PATH and " + bin, Try: "go install " + DlvModule}
}

// DebugPort is the port to which editors attach. It stays open across swaps; each
// version has its own dlv behind it. If the next version does not start, the previous
// one keeps serving.
type DebugPort struct {
	dlv      string // path of the binary
	Listener net.Listener
	note     func(string)

	mu      sync.Mutex
	changed *sync.Cond
	all     []*debugger // those that respond, newest last
	closed  bool
}

// OpenDebugPort listens on dlvPort, or on the next free port above it.
func OpenDebugPort(dlv string, note func(string)) (*DebugPort, *TakenPort, error) {
	l, taken, err := Listen("127.0.0.1", dlvPort)
	if err != nil {
		return nil, nil, err
	}
	d := &DebugPort{dlv: dlv, Listener: l, note: note}
	d.changed = sync.NewCond(&d.mu)
	go d.serve()
	return d, taken, nil
}

// serve accepts connections until the listener is closed.
func (d *DebugPort) serve() {
	for {
		editor, err := d.Listener.Accept()
		if err != nil {
			return
		}
		go d.connect(editor)
	}
}

// connect connects an editor to the debugger of the newest version, once there is one.
func (d *DebugPort) connect(editor net.Conn) {
	defer editor.Close()
	g := d.newest()
	if g == nil {
		return
	}
	dlv, err := net.Dial(g.network, g.address)
	if err != nil {
		return // it has just exited
	}
	defer dlv.Close()
	g.editors.Add(1)
	defer g.editors.Add(-1)
	go func() {
		defer dlv.Close()
		_, _ = io.Copy(dlv, editor) // either end may close
	}()
	_, _ = io.Copy(editor, dlv)
}

// newest waits for a debugger. It returns nil if the port is closed.
func (d *DebugPort) newest() *debugger {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.all) == 0 && !d.closed {
		d.changed.Wait()
	}
	if d.closed {
		return nil
	}
	return d.all[len(d.all)-1]
}

func (d *DebugPort) add(g *debugger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, g)
	d.changed.Broadcast()
}

func (d *DebugPort) remove(g *debugger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = slices.DeleteFunc(d.all, func(other *debugger) bool { return other == g })
}

// Close closes the listener and kills halted programs: no editor will be able to
// continue them.
func (d *DebugPort) Close() {
	d.Listener.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.changed.Broadcast()
	for _, g := range d.all {
		if g.stopped() {
			g.app.kill()
		}
	}
}

// debugger is the dlv process of one version.
type debugger struct {
	port             *DebugPort
	app              *App
	network, address string // where dlv listens
	log              string
	editors          atomic.Int32
	ready            chan struct{} // closed when editors can attach or dlv has exited

	mu         sync.Mutex
	program    *group // set when dlv has responded
	halted     bool
	unattended bool   // halted without an editor attached
	ran        bool   // it has been seen running
	exit       string // how the program exited
}

// newDebugger prepares a, which is not running yet, to run under dlv.
func (d *DebugPort) newDebugger(a *App, binary, state string) error {
	g := &debugger{port: d, app: a, log: filepath.Join(state, "dlv.log"), ready: make(chan struct{})}
	var err error
	if g.network, g.address, err = privateAddress(state, "dlv-"+strconv.Itoa(a.ID)); err != nil {
		return err
	}
	at := g.address
	if g.network == "unix" {
		at = "unix:" + at
	}
	a.debug = g
	a.cmd = exec.Command(d.dlv, "exec", binary, "--headless", "--continue", "--accept-multiclient", "--api-version=2",
		"--listen="+at, "--log-dest="+g.log) // its messages name the private address, which would be misleading
	return nil
}

// monitor polls dlv for the state of the program until one of them exits.
func (g *debugger) monitor(t cleanup) {
	ready := sync.OnceFunc(func() { close(g.ready) })
	defer ready()
	exit, responded := g.poll()
	for !responded { // dlv responds once it has started the program
		if !g.pause() {
			return
		}
		exit, responded = g.poll()
	}
	if pid := g.programPID(); exit == "" && pid != 0 {
		program := g.app.group.debugged(pid)
		g.mu.Lock()
		g.program = &program
		g.mu.Unlock()
		if err := t.adopt(pid); err != nil {
			g.port.note("if nexios is killed, the program keeps running: " + err.Error())
		}
		defer t.release(pid)
		g.port.add(g)
		defer g.port.remove(g)
	}
	ready()
	for exit == "" {
		if !g.pause() {
			return
		}
		exit, _ = g.poll()
	}
	g.mu.Lock()
	g.exit = exit
	g.mu.Unlock()
	g.app.kill() // dlv would keep running
}

// pause waits until the next poll. It returns false if dlv has exited.
func (g *debugger) pause() bool {
	select {
	case <-g.app.Exited:
		return false
	case <-time.After(pollInterval):
		return true
	}
}

// dlvState is dlv's api.DebuggerState, as far as it is used.
type dlvState struct {
	State struct {
		Running       bool
		CurrentThread *struct {
			File       string `json:"file"`
			Line       int    `json:"line"`
			BreakPoint *struct {
				Name string `json:"name"`
			} `json:"breakPoint"`
		} `json:"currentThread"`
	}
}

// poll polls the state of the program once. It returns the exit status of a program
// that has exited, and whether dlv responded.
//
// Each call has its own connection and a deadline: a call that arrives in the moment in
// which dlv continues the program is not answered before the program stops,
// "NonBlocking" or not.
func (g *debugger) poll() (exit string, responded bool) {
	conn, err := net.Dial(g.network, g.address)
	if err != nil {
		return "", false // dlv is starting or exiting
	}
	client := jsonrpc.NewClient(conn)
	defer client.Close()
	if err := conn.SetDeadline(time.Now().Add(responseLimit)); err != nil {
		return "", false
	}
	var now dlvState
	err = client.Call("RPCServer.State", map[string]bool{"NonBlocking": true}, &now)
	if serverErr := rpc.ServerError(""); errors.As(err, &serverErr) {
		if _, status, ended := strings.Cut(err.Error(), "has exited with status "); ended {
			return "exit status " + status, true
		}
		return "", true
	}
	if err != nil {
		return "", false
	}
	g.mu.Lock()
	g.halted = !now.State.Running
	unattended := g.halted && g.editors.Load() == 0
	wasUnattended := g.unattended
	g.unattended = unattended
	g.ran = g.ran || now.State.Running
	ran := g.ran
	g.mu.Unlock()
	at := now.State.CurrentThread
	if wasUnattended || !unattended || at == nil {
		return "", true
	}
	if at.BreakPoint != nil && (at.BreakPoint.Name == "unrecovered-panic" || at.BreakPoint.Name == "runtime-fatal-throw") {
		// Without an editor it exits and prints the reason, as it would without a
		// debugger.
		client.Go("RPCServer.Command", map[string]string{"name": "continue"}, &now, nil)
		return "", true
	}
	if !ran {
		return "", true // before it has run at all
	}
	g.port.note(fmt.Sprintf("the program is stopped at %s:%d; continue it from a debugger at %s",
		filepath.Base(at.File), at.Line, g.port.Listener.Addr()))
	return "", true
}

// stopped reports whether the program is halted, at a breakpoint or by hand.
func (g *debugger) stopped() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.halted
}

// inspected reports whether the program is halted and an editor attached.
func (g *debugger) inspected() bool { return g.stopped() && g.editors.Load() > 0 }

// interrupt sends the program an interrupt.
func (g *debugger) interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.program != nil {
		g.program.interrupt()
	}
}

// ended returns how the program exited, or "" if it did not exit under dlv.
func (g *debugger) ended() string {
	if g == nil {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.exit
}

// kill kills the program, which would survive killing dlv alone.
func (g *debugger) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.program != nil {
		g.program.kill()
		return
	}
	if pid := g.programPID(); pid != 0 {
		g.app.group.debugged(pid).kill()
	}
}

// programPID returns the pid of the program, or 0. It searches the process tree,
// because dlv reports the pid only when the program is halted.
func (g *debugger) programPID() int {
	dlv, err := process.NewProcess(int32(g.app.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	return findProgram(dlv, g.app.Binary)
}

// findProgram searches for the program below p, which has other children, too: dlv's
// telemetry, and on macOS debugserver, which starts the program.
func findProgram(p *process.Process, binary string) int {
	children, _ := p.Children() // there are none on error
	for _, programPID := range children {
		if exe, err := programPID.Exe(); err == nil && filepath.Base(exe) == filepath.Base(binary) {
			return int(programPID.Pid)
		}
		if pid := findProgram(programPID, binary); pid != 0 {
			return pid
		}
	}
	return 0
}
