package reload

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holder names the process that listens at a TCP port, as far as /proc lets us
// see: "blog (process 4711)", or nothing.
func holder(port int) string {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listening(table, port, sockets)
	}
	if len(sockets) == 0 {
		return ""
	}
	handles, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is well formed
	for _, handle := range handles {
		target, err := os.Readlink(handle)
		if err != nil || !sockets[target] {
			continue
		}
		pid := strings.Split(handle, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// listening adds the sockets that listen at port to sockets, named as the
// links in /proc/*/fd are. The columns are those of proc_net_tcp(5).
func listening(table string, port int, sockets map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 10 || fields[3] != "0A" {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
			sockets["socket:["+fields[9]+"]"] = true
		}
	}
}
