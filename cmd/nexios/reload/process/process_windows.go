package process

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a process and everything it starts, held in a job object that ends
// with its last handle.
type group struct {
	pid uint32
	job *job
}

// job is the handle of a job object, 0 once it is closed: the system may by
// then have given its number to another.
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

// interrupt asks the head of the group to end; Go programs see os.Interrupt.
// Without a console it cannot be asked, so there is nothing to wait for.
func (g group) interrupt() {
	if g.pid != 0 && windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, g.pid) != nil {
		g.kill() // gone already is as good
	}
}

// kill ends the whole group at once.
func (g group) kill() {
	if g.job != nil {
		g.job.end()
	}
}

// lower lets everything else go first.
func (g group) lower() {
	process, err := windows.OpenProcess(windows.PROCESS_SET_INFORMATION, false, g.pid)
	if err != nil {
		return // a wish
	}
	defer windows.CloseHandle(process)
	_ = windows.SetPriorityClass(process, windows.BELOW_NORMAL_PRIORITY_CLASS)
}

// ties ends what we started when we are killed ourselves: the system closes
// our handles, and with them the jobs.
type ties struct{}

func newTies() (ties, error) { return ties{}, nil }

func (ties) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

func (ties) tie(cmd *exec.Cmd) (g group, err error) {
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

func (ties) untie(g group) {
	if g.job != nil {
		g.job.close()
	}
}

// What a debugger starts is in the debugger's job.
func (ties) adopt(int) error { return nil }
func (ties) release(int)     {}
func (ties) close()          {}

// debugged is the group of the program that a debugger runs: the debugger's.
func (g group) debugged(int) group { return g }

func killTree(p *os.Process) { _ = p.Kill() }

// Alive says whether there is a process with that number.
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
