//go:build !windows

package apply

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Alive reports whether a process is running.
func Alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer process.Release()
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, fs.ErrPermission)
}
