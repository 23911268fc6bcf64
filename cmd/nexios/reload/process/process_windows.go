package process

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a process and its descendants, in a job object that kills them when its last
// handle is closed.
type group struct {
	pid uint32
	job *job
}

// job is the handle of a job object, 0 once it is closed: the system may reuse the
// number of a closed handle.
type job struct {
	mu     sync.Mutex
	handle windows.Handle
}

func (j *job) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.handle != 0 {
		_ = windows.TerminateJobObject(j.handle, 1)
	}
}

func (j *job) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.handle != 0 {
		_ = windows.CloseHandle(j.handle)
		j.handle = 0
	}
}

// interrupt sends the leader of the group a CTRL_BREAK event, which Go programs receive
// as os.Interrupt. Without a console there is no way to ask, so it kills the group.
func (g group) interrupt() {
	if g.pid != 0 && windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, g.pid) != nil {
		g.kill() // it may have exited already
	}
}

// kill kills the whole group.
func (g group) kill() {
	if g.job != nil {
		g.job.end()
	}
}

// lower lowers the priority of the process.
func (g group) lower() {
	process, err := windows.OpenProcess(windows.PROCESS_SET_INFORMATION, false, g.pid)
	if err != nil {
		return // best effort
	}
	defer windows.CloseHandle(process)
	_ = windows.SetPriorityClass(process, windows.BELOW_NORMAL_PRIORITY_CLASS)
}

// cleanup ends child processes when the server is killed: the system closes its
// handles, and with them the jobs.
type cleanup struct{}

func newCleanup() (cleanup, error) { return cleanup{}, nil }

func (cleanup) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

func (cleanup) add(cmd *exec.Cmd) (g group, err error) {
	handle, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return group{}, err
	}
	j := &job{handle: handle}
	defer func() {
		if err != nil {
			j.close()
		}
	}()
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	_, err = windows.SetInformationJobObject(handle, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		return group{}, err
	}
	pid := uint32(cmd.Process.Pid)
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return group{}, err
	}
	defer windows.CloseHandle(process)
	if err := windows.AssignProcessToJobObject(handle, process); err != nil {
		return group{}, err
	}
	return group{pid, j}, nil
}

func (cleanup) remove(g group) {
	if g.job != nil {
		g.job.close()
	}
}

// The debugger's job contains the processes that it starts.
func (cleanup) adopt(int) error { return nil }
func (cleanup) release(int)     {}
func (cleanup) close()          {}

// debugged returns the group of a program under a debugger, which is the debugger's.
func (g group) debugged(int) group { return g }

func killTree(p *os.Process) { _ = p.Kill() }

// Alive reports whether a process with that pid exists.
func Alive(pid int) bool {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(process)
	var code uint32
	const stillActive = 259
	return windows.GetExitCodeProcess(process, &code) == nil && code == stillActive
}
