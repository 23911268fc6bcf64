package apply

import (
	"errors"
	"io/fs"
	"syscall"
)

// Alive reports whether a process is running. A process that has ended still exists while
// there is an open handle to it.
func Alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	process, err := syscall.OpenProcess(syscall.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	defer syscall.CloseHandle(process)
	state, err := syscall.WaitForSingleObject(process, 0)
	return err == nil && state == syscall.WAIT_TIMEOUT
}
