package process

import (
	"os/exec"
	"syscall"
)

// cleanup ends child processes when the server is killed. On Linux the kernel does,
// except for processes that others started for us: the reaper adopts those.
type cleanup struct{ reaper *reaper }

func newCleanup() (cleanup, error) { return cleanup{&reaper{}}, nil }

func (cleanup) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func (cleanup) add(cmd *exec.Cmd) (group, error) { return newGroup(cmd), nil }
func (cleanup) remove(group)                     {}
func (t cleanup) adopt(pid int) error            { return t.reaper.watch(pid) }
func (t cleanup) release(pid int)                { t.reaper.forget(pid) }
func (t cleanup) close()                         { t.reaper.close() }
