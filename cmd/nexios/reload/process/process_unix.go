//go:build unix

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
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

// debugged is the group of the program that a debugger runs: one of its own.
func (group) debugged(pid int) group { return group{pid} }

func newGroup(cmd *exec.Cmd) group { return group{cmd.Process.Pid} }

func killTree(p *os.Process) { group{p.Pid}.kill() }

// reaper is a second process of this program that reads the names of groups
// from a pipe, and kills what is left of them when the pipe closes, as it does
// when we are killed. It starts with the first of them.
type reaper struct {
	mu   sync.Mutex
	pipe io.WriteCloser
	cmd  *exec.Cmd
}

func (r *reaper) watch(pid int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe == nil {
		if err := r.start(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(r.pipe, "+%d\n", pid)
	return err
}

func (r *reaper) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, ReapArgs...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.pipe, r.cmd = pipe, cmd
	return nil
}

func (r *reaper) forget(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe == nil {
		return // it never started, and knows of no group
	}
	_, _ = fmt.Fprintf(r.pipe, "-%d\n", pid) // a lost reaper is found by watch
}

func (r *reaper) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe != nil {
		r.pipe.Close()
		_ = r.cmd.Wait()
	}
}

// Alive says whether there is a process with that number.
func Alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
