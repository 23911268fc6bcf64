package process

import (
	"os/exec"
	"syscall"
)

// ties ends what we started when we are killed ourselves. Here the kernel does,
// except for what others started for us: that is adopted by a reaper.
type ties struct{ reaper *reaper }

func newTies() (ties, error) { return ties{&reaper{}}, nil }

func (ties) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func (ties) tie(cmd *exec.Cmd) (group, error) { return newGroup(cmd), nil }
func (ties) untie(group)                      {}
func (t ties) adopt(pid int) error            { return t.reaper.watch(pid) }
func (t ties) release(pid int)                { t.reaper.forget(pid) }
func (t ties) close()                         { t.reaper.close() }
