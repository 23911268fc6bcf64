package services

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Mode is how a [Proxy] treats connections.
type Mode int

const (
	Pass     Mode = iota
	Refuse        // close them, and reject new ones
	Silent        // keep them and accept new ones, but forward nothing
	Truncate      // forward all but the last bytes of the server's response, then close
)

// Proxy is a TCP proxy between a program and a server.
type Proxy struct {
	URL string // the server's URL with the address of the proxy

	mu    sync.Mutex
	mode  Mode
	conns []net.Conn
}

// Between returns a Proxy for the server at address, a URL. It forwards everything until
// Set is called, and ends with the test.
func Between(t testing.TB, address string) *Proxy {
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
	m := &Proxy{URL: u.String()}
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

// Set changes the mode. Pass and Refuse close existing connections.
func (m *Proxy) Set(mode Mode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mode = mode; mode == Silent || mode == Truncate {
		return
	}
	for _, conn := range m.conns {
		_ = conn.Close()
	}
	m.conns = nil
}

func (m *Proxy) accept(here net.Conn, target string) {
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

// gate forwards what is written, depending on the mode.
type gate struct {
	*Proxy
	to     net.Conn
	server bool // the server is the writer
}

// Write implements io.Writer.
func (g gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	mode := g.mode
	g.mu.Unlock()
	switch {
	case mode == Silent:
		return len(p), nil
	case mode == Truncate && g.server:
		n, _ := g.to.Write(p[:max(0, len(p)-8)])
		return n, io.ErrClosedPipe
	}
	return g.to.Write(p)
}
