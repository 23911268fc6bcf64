package reload

import (
	"os/exec"
	"syscall"
)

// ties ends what we started when we are killed ourselves. Here the kernel
// does.
type ties struct{}

func newTies() (ties, error) { return ties{}, nil }

func (ties) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func (ties) tie(cmd *exec.Cmd) (group, error) { return newGroup(cmd), nil }
func (ties) untie(group)                      {}
func (ties) close()                           {}
