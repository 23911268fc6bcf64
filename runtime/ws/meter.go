package ws

import (
	"bufio"
	"net"

	"github.com/gin-gonic/gin"
)

// meteredWriter is a response writer whose hijacked connection counts the bytes sent by
// the member.
type meteredWriter struct {
	gin.ResponseWriter
	member *Member
}

// Hijack implements http.Hijacker.
func (w meteredWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.ResponseWriter.Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &meteredConn{Conn: conn, member: w.member}, buffered, nil
}

// meteredConn throttles a member by the bytes received, whatever frames they are in: the
// library skips empty fragments.
type meteredConn struct {
	net.Conn
	member *Member
	bytes  int // remainder of less than 4 KiB
}

// Read implements net.Conn. It is called by one goroutine.
func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.bytes += n; c.bytes >= 4096 {
		c.member.throttle(c.bytes / 4096)
		c.bytes %= 4096
	}
	return n, err
}

// unwrap returns the underlying connection, without the meter.
func unwrap(conn net.Conn) net.Conn {
	if c, ok := conn.(*meteredConn); ok {
		return c.Conn
	}
	return conn
}
