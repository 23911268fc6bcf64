package ws

import (
	"bufio"
	"net"

	"github.com/gin-gonic/gin"
)

// metering is a response whose connection, once it is taken over, counts what the
// member sends.
type metering struct {
	gin.ResponseWriter
	member *Member
}

// Hijack implements http.Hijacker.
func (w metering) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.ResponseWriter.Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &metered{Conn: conn, member: w.member}, buffered, nil
}

// metered slows down a member by the bytes that arrive, whatever frames they are: the
// library passes over empty fragments by itself.
type metered struct {
	net.Conn
	member *Member
	bytes  int // that no 4 KiB are full of yet
}

// Read implements net.Conn. It is called by one goroutine.
func (c *metered) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.bytes += n; c.bytes >= 4096 {
		c.member.throttle(c.bytes / 4096)
		c.bytes %= 4096
	}
	return n, err
}

// plain is a connection without the meter.
func plain(conn net.Conn) net.Conn {
	if c, ok := conn.(*metered); ok {
		return c.Conn
	}
	return conn
}
