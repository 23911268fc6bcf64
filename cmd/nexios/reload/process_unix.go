//go:build unix

package reload

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// group is a process and everything it starts.
type group struct{ pid int }

// interrupt asks the head of the group to end.
func (g group) interrupt() {
	if g.pid > 0 {
		_ = syscall.Kill(g.pid, syscall.SIGTERM) // gone already is as good
	}
}

// kill ends the whole group at once.
func (g group) kill() {
	if g.pid > 0 {
		_ = syscall.Kill(-g.pid, syscall.SIGKILL)
	}
}

// lower lets everything else go first.
func (g group) lower() { _ = syscall.Setpriority(syscall.PRIO_PGRP, g.pid, 15) } // a wish

func newGroup(cmd *exec.Cmd) group { return group{cmd.Process.Pid} }

func killTree(p *os.Process) { group{p.Pid}.kill() }

// alive says whether there is a process with that number.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
