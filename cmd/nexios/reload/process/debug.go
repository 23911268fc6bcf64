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
	// DlvModule is the debugger to install, of a version that is known to work.
	DlvModule = "github.com/go-delve/delve/cmd/dlv@v1.27.2"
	// dlvPort is where editors look for a debugger when nobody tells them.
	dlvPort = 2345
	// followPace is how often a debugger is asked what its program does.
	followPace = 100 * time.Millisecond
	// answerLimit is how long an answer of a debugger is waited for.
	answerLimit = time.Second
	// DlvEnded is what dlv writes when its program ends, as with every swap.
	DlvEnded = "Stop reason: exited"
)

// FindDlv returns the path of dlv, on the PATH or where `go install` puts it.
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

// Door is the port at which editors find the debugger. It stays open while
// versions come and go, each with a dlv of its own behind it: the version
// before goes on answering when the next one does not start.
type Door struct {
	dlv      string // the path of the program
	Listener net.Listener
	note     func(string)

	mu   sync.Mutex
	came *sync.Cond
	all  []*debugger // those that answer, the newest last
	over bool
}

// OpenDoor listens at dlvPort, or at the next free port above it.
func OpenDoor(dlv string, note func(string)) (*Door, *TakenPort, error) {
	l, taken, err := Listen("127.0.0.1", dlvPort)
	if err != nil {
		return nil, nil, err
	}
	d := &Door{dlv: dlv, Listener: l, note: note}
	d.came = sync.NewCond(&d.mu)
	go d.serve()
	return d, taken, nil
}

// serve ends when the listener is closed.
func (d *Door) serve() {
	for {
		editor, err := d.Listener.Accept()
		if err != nil {
			return
		}
		go d.visit(editor)
	}
}

// visit connects an editor to the debugger of the newest version, as soon as
// there is one.
func (d *Door) visit(editor net.Conn) {
	defer editor.Close()
	g := d.newest()
	if g == nil {
		return
	}
	dlv, err := net.Dial(g.network, g.address)
	if err != nil {
		return // it has just ended
	}
	defer dlv.Close()
	g.editors.Add(1)
	defer g.editors.Add(-1)
	go func() {
		defer dlv.Close()
		_, _ = io.Copy(dlv, editor) // either end may leave
	}()
	_, _ = io.Copy(editor, dlv)
}

// newest waits for a debugger. It is nil when the door is closed.
func (d *Door) newest() *debugger {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.all) == 0 && !d.over {
		d.came.Wait()
	}
	if d.over {
		return nil
	}
	return d.all[len(d.all)-1]
}

func (d *Door) enter(g *debugger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, g)
	d.came.Broadcast()
}

func (d *Door) leave(g *debugger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = slices.DeleteFunc(d.all, func(other *debugger) bool { return other == g })
}

// Close lets nobody in any more and ends the programs that are stopped: nobody
// will let them go on.
func (d *Door) Close() {
	d.Listener.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.came.Broadcast()
	for _, g := range d.all {
		if g.stopped() {
			g.app.kill()
		}
	}
}

// debugger is the dlv that runs one version.
type debugger struct {
	door             *Door
	app              *App
	network, address string // where it listens
	log              string
	editors          atomic.Int32
	followed         chan struct{} // closed when editors reach it, and when it has ended before

	mu      sync.Mutex
	program *group // known when dlv has answered
	halted  bool
	alone   bool   // halted, and nobody looks
	ran     bool   // it was seen to run
	exit    string // how the program ended
}

// newDebugger has a, which does not run yet, run under dlv.
func (d *Door) newDebugger(a *App, binary, state string) error {
	g := &debugger{door: d, app: a, log: filepath.Join(state, "dlv.log"), followed: make(chan struct{})}
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
		"--listen="+at, "--log-dest="+g.log) // what it says of its private address would mislead
	return nil
}

// follow asks dlv what the program does, until it ends.
func (g *debugger) follow(t ties) {
	followed := sync.OnceFunc(func() { close(g.followed) })
	defer followed()
	exit, answered := g.look()
	for !answered { // dlv answers when it has started the program
		if !g.pause() {
			return
		}
		exit, answered = g.look()
	}
	if pid := g.child(); exit == "" && pid != 0 {
		program := g.app.group.debugged(pid)
		g.mu.Lock()
		g.program = &program
		g.mu.Unlock()
		if err := t.adopt(pid); err != nil {
			g.door.note("if nexios is killed, the program keeps running: " + err.Error())
		}
		defer t.release(pid)
		g.door.enter(g)
		defer g.door.leave(g)
	}
	followed()
	for exit == "" {
		if !g.pause() {
			return
		}
		exit, _ = g.look()
	}
	g.mu.Lock()
	g.exit = exit
	g.mu.Unlock()
	g.app.kill() // dlv, which would stay
}

// pause waits before the next question. It is false when dlv has ended.
func (g *debugger) pause() bool {
	select {
	case <-g.app.Exited:
		return false
	case <-time.After(followPace):
		return true
	}
}

// dlvState is what dlv says of its program (api.DebuggerState).
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

// look asks for the state of the program once, and returns how it ended.
//
// Each question has a connection of its own and a time limit: one that comes in
// the moment in which dlv lets the program go on is answered no sooner than the
// program stops, "NonBlocking" or not.
func (g *debugger) look() (exit string, answered bool) {
	conn, err := net.Dial(g.network, g.address)
	if err != nil {
		return "", false // dlv is beginning, or ending
	}
	client := jsonrpc.NewClient(conn)
	defer client.Close()
	if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
		return "", false
	}
	var now dlvState
	err = client.Call("RPCServer.State", map[string]bool{"NonBlocking": true}, &now)
	if refused := rpc.ServerError(""); errors.As(err, &refused) {
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
	alone := g.halted && g.editors.Load() == 0
	before := g.alone
	g.alone = alone
	g.ran = g.ran || now.State.Running
	ran := g.ran
	g.mu.Unlock()
	at := now.State.CurrentThread
	if before || !alone || at == nil {
		return "", true
	}
	if at.BreakPoint != nil && (at.BreakPoint.Name == "unrecovered-panic" || at.BreakPoint.Name == "runtime-fatal-throw") {
		// Nobody looks: it ends and says why, as it would without a debugger.
		client.Go("RPCServer.Command", map[string]string{"name": "continue"}, &now, nil)
		return "", true
	}
	if !ran {
		return "", true // at its very beginning
	}
	g.door.note(fmt.Sprintf("the program is stopped at %s:%d; continue it from a debugger at %s",
		filepath.Base(at.File), at.Line, g.door.Listener.Addr()))
	return "", true
}

// stopped says whether the program is, at a breakpoint or by hand.
func (g *debugger) stopped() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.halted
}

// inspected says whether somebody looks at a program that is stopped.
func (g *debugger) inspected() bool { return g.stopped() && g.editors.Load() > 0 }

// interrupt asks the program to end.
func (g *debugger) interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.program != nil {
		g.program.interrupt()
	}
}

// ended says how the program ended, if it did so under dlv.
func (g *debugger) ended() string {
	if g == nil {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.exit
}

// kill ends the program, which dlv alone would leave behind.
func (g *debugger) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.program != nil {
		g.program.kill()
		return
	}
	if pid := g.child(); pid != 0 {
		g.app.group.debugged(pid).kill()
	}
}

// child is the number of the program, or 0. We look ourselves: dlv does not
// tell it before the program stops.
func (g *debugger) child() int {
	dlv, err := process.NewProcess(int32(g.app.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	return runs(dlv, g.app.Binary)
}

// runs looks for the program below p, which has helpers as well: dlv counts its
// uses, and on macOS debugserver starts the program.
func runs(p *process.Process, binary string) int {
	children, _ := p.Children() // with an error there are none
	for _, child := range children {
		if exe, err := child.Exe(); err == nil && filepath.Base(exe) == filepath.Base(binary) {
			return int(child.Pid)
		}
		if pid := runs(child, binary); pid != 0 {
			return pid
		}
	}
	return 0
}
