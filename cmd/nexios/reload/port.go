package reload

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	sockets "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// portsTried is how many ports above a taken one are tried.
const portsTried = 100

// listen opens host:port, or the next free port above when it is taken. taken
// then says by whom. It is nil when nothing was taken.
func listen(host string, port int) (l net.Listener, taken *takenPort, err error) {
	l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil || !inUse(err) {
		return l, nil, err
	}
	taken = &takenPort{port: port, by: holder(port)}
	for taken.next = port + 1; taken.next <= min(port+portsTried, 65535); taken.next++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(taken.next)))
		if err == nil || !inUse(err) {
			return l, taken, err
		}
	}
	return nil, nil, fmt.Errorf("%s, and so are the %d above it\n  try: nexios dev --port 0", taken, portsTried)
}

// takenPort is a port that another program has.
type takenPort struct {
	port, next int // next is free
	by         string
}

func (t *takenPort) String() string { return fmt.Sprintf("port %d is taken by %s", t.port, t.by) }

// inUse says whether err is a taken address: EADDRINUSE, or 10048 on Windows.
func inUse(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && (number == syscall.EADDRINUSE || number == 10048)
}

// holder names the process that listens at a TCP port, as far as the system
// lets us see: "blog (process 4711)".
func holder(port int) string {
	list, err := sockets.Connections("tcp")
	if err != nil {
		return "another program" // whose name is a help and no more
	}
	for _, c := range list {
		if c.Status != "LISTEN" || c.Laddr.Port != uint32(port) || c.Pid == 0 {
			continue
		}
		if p, err := process.NewProcess(c.Pid); err == nil {
			if name, err := p.Name(); err == nil {
				return fmt.Sprintf("%s (process %d)", name, c.Pid)
			}
		}
		return fmt.Sprintf("process %d", c.Pid)
	}
	return "another program"
}
