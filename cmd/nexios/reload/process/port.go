package process

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/nexios-go/nexios/scaffold/problem"
	sockets "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// portsTried is the number of ports to try above one that is in use.
const portsTried = 100

// Listen listens on host:port or, if it is in use, on the next free port above. taken
// is nil if port was free, and otherwise describes who uses it.
func Listen(host string, port int) (l net.Listener, taken *TakenPort, err error) {
	l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil && !inUse(err) {
		return nil, nil, listenError(host, port, err)
	}
	if err == nil {
		return l, nil, nil
	}
	taken = &TakenPort{port: port, by: holder(port)}
	for taken.Next = port + 1; taken.Next <= min(port+portsTried, 65535); taken.Next++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(taken.Next)))
		if err == nil {
			return l, taken, nil
		}
		if !inUse(err) {
			return nil, nil, listenError(host, taken.Next, err)
		}
	}
	return nil, nil, &problem.Error{Kind: problem.Failure, What: fmt.Sprintf("%s, and so are the %d above it", taken, portsTried), Try: "nexios dev --port 0"}
}

// listenError returns the error for an address that cannot be used, whether or not it is
// in use.
func listenError(host string, port int, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return &problem.Error{
		Kind: problem.Failure, What: fmt.Sprintf("cannot listen on %s: %v", net.JoinHostPort(host, strconv.Itoa(port)), err),
		Where: "--host and --port, else ADDR of the environment or .env", Try: "nexios dev --host 127.0.0.1 --port 8000", Err: err,
	}
}

// TakenPort is a port in use by another program.
type TakenPort struct {
	port, Next int // Next is free
	by         string
}

func (t *TakenPort) String() string { return fmt.Sprintf("port %d is taken by %s", t.port, t.by) }

// inUse reports whether err means that the address is in use: EADDRINUSE, or 10048 on
// Windows.
func inUse(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && (number == syscall.EADDRINUSE || number == 10048)
}

// holder describes the process that listens on a TCP port, as far as the system
// permits: "blog (process 4711)".
func holder(port int) string {
	list, err := sockets.Connections("tcp")
	if err != nil {
		return "another program" // the name is only a hint
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
