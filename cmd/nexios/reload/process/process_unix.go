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

// group is a process group.
type group struct{ pid int }

// interrupt sends SIGTERM to the leader of the group.
func (g group) interrupt() {
	if g.pid > 0 {
		_ = syscall.Kill(g.pid, syscall.SIGTERM) // it may have exited already
	}
}

// kill kills the whole group.
func (g group) kill() {
	if g.pid > 0 {
		_ = syscall.Kill(-g.pid, syscall.SIGKILL)
	}
}

// lower lowers the priority of the group.
func (g group) lower() { _ = syscall.Setpriority(syscall.PRIO_PGRP, g.pid, 15) } // best effort

// debugged returns the process group of a program under a debugger, which is one of its
// own.
func (group) debugged(pid int) group { return group{pid} }

func newGroup(cmd *exec.Cmd) group { return group{cmd.Process.Pid} }

func killTree(p *os.Process) { group{p.Pid}.kill() }

// reaper is a second process of this program that reads the pids of groups from a pipe.
// When the pipe closes, which also happens when the server is killed, it kills the
// groups that are left. It is started for the first group.
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
		return // not started, so it has no groups
	}
	_, _ = fmt.Fprintf(r.pipe, "-%d\n", pid) // watch reports a dead reaper
}

func (r *reaper) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe != nil {
		r.pipe.Close()
		_ = r.cmd.Wait()
	}
}

// Alive reports whether a process with that pid exists.
func Alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
