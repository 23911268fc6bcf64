//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// ties ends what we started when we are killed ourselves: a reaper does.
type ties struct{ reaper *reaper }

func newTies() (ties, error) { return ties{&reaper{}}, nil }

func (ties) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func (t ties) tie(cmd *exec.Cmd) (group, error) {
	g := newGroup(cmd)
	return g, t.reaper.watch(g.pid)
}

func (t ties) untie(g group)       { t.reaper.forget(g.pid) }
func (t ties) adopt(pid int) error { return t.reaper.watch(pid) }
func (t ties) release(pid int)     { t.reaper.forget(pid) }
func (t ties) close()              { t.reaper.close() }
