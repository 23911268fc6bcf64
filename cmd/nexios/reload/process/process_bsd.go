//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// cleanup ends child processes when the server is killed, with a reaper.
type cleanup struct{ reaper *reaper }

func newCleanup() (cleanup, error) { return cleanup{&reaper{}}, nil }

func (cleanup) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func (t cleanup) add(cmd *exec.Cmd) (group, error) {
	g := newGroup(cmd)
	return g, t.reaper.watch(g.pid)
}

func (t cleanup) remove(g group)      { t.reaper.forget(g.pid) }
func (t cleanup) adopt(pid int) error { return t.reaper.watch(pid) }
func (t cleanup) release(pid int)     { t.reaper.forget(pid) }
func (t cleanup) close()              { t.reaper.close() }
