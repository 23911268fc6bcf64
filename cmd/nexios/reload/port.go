package reload

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// portsTried is how many ports above a taken one are tried.
const portsTried = 100

// listen opens host:port, or the next free port above when it is taken. note
// then says by whom, and which port it is now.
func listen(host string, port int) (l net.Listener, note string, err error) {
	l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil || !inUse(err) {
		return l, "", err
	}
	who := holder(port)
	if who == "" {
		who = "another program"
	}
	for next := port + 1; next <= min(port+portsTried, 65535); next++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(next)))
		if err == nil {
			return l, fmt.Sprintf("port %d is taken by %s; listening at %d instead", port, who, next), nil
		}
		if !inUse(err) {
			return nil, "", err
		}
	}
	return nil, "", fmt.Errorf("port %d is taken by %s, and so are the %d above it\n  try: nexios dev --port 0", port, who, portsTried)
}

// inUse says whether err is a taken address: EADDRINUSE, or 10048 on Windows.
func inUse(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && (number == syscall.EADDRINUSE || number == 10048)
}
