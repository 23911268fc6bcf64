package process

import (
	"bufio"
	"io"
	"os"
	"strconv"
)

// ReapArgs are the arguments that start this program as the reaper, on systems whose
// kernel does not end children with their parent.
var ReapArgs = []string{"dev", "--reap"}

// Reap reads "+pid" and "-pid" lines until r ends, which it does when the development
// server has exited, and kills the process groups that are left.
func Reap(r io.Reader) {
	groups := map[int]bool{}
	for s := bufio.NewScanner(r); s.Scan(); {
		pid, err := strconv.Atoi(s.Text())
		switch {
		case err != nil:
		case pid > 0:
			groups[pid] = true
		default:
			delete(groups, -pid)
		}
	}
	for pid := range groups {
		if p, err := os.FindProcess(pid); err == nil {
			killTree(p)
		}
	}
}
