package services

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Mode is what a [Middle] does with connections.
type Mode int

const (
	Pass   Mode = iota
	Refuse      // cut them, and close new ones
	Silent      // keep them and take new ones, and pass nothing on
	Torn        // pass on all but the last bytes of what the server says, and cut them then
)

// Middle stands between a program and a server.
type Middle struct {
	URL string // the server's, by way of here

	mu    sync.Mutex
	mode  Mode
	conns []net.Conn
}

// Between returns a Middle before the server at address, a URL. It passes everything
// on until Set says otherwise, and ends with the test.
func Between(t testing.TB, address string) *Middle {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	target := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Host = listener.Addr().String()
	m := &Middle{URL: u.String()}
	t.Cleanup(func() { _ = listener.Close(); m.Set(Refuse) })
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			m.accept(here, target)
		}
	}()
	return m
}

// Set changes what happens to connections. Pass and Refuse close those that there are.
func (m *Middle) Set(mode Mode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mode = mode; mode == Silent || mode == Torn {
		return
	}
	for _, conn := range m.conns {
		_ = conn.Close()
	}
	m.conns = nil
}

func (m *Middle) accept(here net.Conn, target string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, here)
	there, err := net.Dial("tcp", target)
	if err != nil || m.mode == Refuse {
		_ = here.Close()
		return
	}
	m.conns = append(m.conns, there)
	go func() { _, _ = io.Copy(gate{m, here, true}, there); _ = here.Close() }()
	go func() { _, _ = io.Copy(gate{m, there, false}, here); _ = there.Close() }()
}

// gate passes on what is written, as the mode says.
type gate struct {
	*Middle
	to     net.Conn
	server bool // says what is written
}

// Write implements io.Writer.
func (g gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	mode := g.mode
	g.mu.Unlock()
	switch {
	case mode == Silent:
		return len(p), nil
	case mode == Torn && g.server:
		n, _ := g.to.Write(p[:max(0, len(p)-8)])
		return n, io.ErrClosedPipe
	}
	return g.to.Write(p)
}
