//go:build unix && !linux

package reload

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// ties ends what we started when we are killed ourselves: a second process of
// this program reads the names of groups from a pipe, and kills what is left
// of them when the pipe closes.
type ties struct {
	pipe io.WriteCloser
	cmd  *exec.Cmd
}

func newTies() (ties, error) {
	self, err := os.Executable()
	if err != nil {
		return ties{}, err
	}
	cmd := exec.Command(self, ReapArgs...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return ties{}, err
	}
	return ties{pipe, cmd}, cmd.Start()
}

func (t ties) prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func (t ties) tie(cmd *exec.Cmd) (group, error) {
	g := newGroup(cmd)
	_, err := fmt.Fprintf(t.pipe, "+%d\n", g.pid)
	return g, err
}

func (t ties) untie(g group) {
	_, _ = fmt.Fprintf(t.pipe, "-%d\n", g.pid) // a lost reaper is found by tie
}

func (t ties) close() {
	t.pipe.Close()
	_ = t.cmd.Wait()
}
