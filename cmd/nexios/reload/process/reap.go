package process

import (
	"bufio"
	"io"
	"os"
	"strconv"
)

// ReapArgs is how this program is started to be the reaper, on systems whose
// kernel does not end children with their parent.
var ReapArgs = []string{"dev", "--reap"}

// Reap reads "+pid" and "-pid" lines until r ends, which it does when the
// development server is gone, and kills the process groups that are left.
func Reap(r io.Reader) {
	left := map[int]bool{}
	for s := bufio.NewScanner(r); s.Scan(); {
		pid, err := strconv.Atoi(s.Text())
		switch {
		case err != nil:
		case pid > 0:
			left[pid] = true
		default:
			delete(left, -pid)
		}
	}
	for pid := range left {
		if p, err := os.FindProcess(pid); err == nil {
			killTree(p)
		}
	}
}
