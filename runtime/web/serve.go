package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of every connection, so that slow clients do not hold resources for long.
// The read timeout is shorter than that of the handler, so that a slow body still
// gets an error response.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 20 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 120 * time.Second
	maxHeader     = 64 << 10 // bytes
)

// Limits of the shutdown. In total it takes less than the ten seconds after which
// process managers kill the process.
const (
	drainTimeout = 6 * time.Second
	stopTimeout  = 9 * time.Second // drain included
	lastTimeout  = 3 * time.Second // for Module.Stop, cut short by lastEnd
	lastEnd      = 9500 * time.Millisecond
)

// gcPercent is how much the heap grows between garbage collections, in percent of the
// live heap. An application's live heap is small, about 5 to 20 MB, and a request
// produces mostly garbage: with Go's default of 100 a tenth of the CPU time goes into
// collecting. 400 costs up to three times the live heap in additional memory. The
// environment variable GOGC overrides it; GOMEMLIMIT bounds it.
const gcPercent = 400

// Serve starts the modules, listens on Config.Addr and runs the modules' background
// work until ctx is done or one of them fails. It then shuts down: /readyz returns
// 503 while everything is still served for Config.ShutdownDelay, so that load
// balancers notice; no more connections are accepted; requests in progress have 6
// seconds to finish, or what the delay leaves of 8 if that is less, and are then cut
// off; background work stops; and the modules' Stop runs. Serve returns after 9.5
// seconds at the latest. It also makes the garbage collector run less often than Go's
// default, unless the environment sets GOGC.
func (a *App) Serve(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := a.start(ctx); err != nil {
		return err
	}
	listener, err := listen(a.Config.Addr)
	if err != nil {
		return err
	}
	return a.ServeOn(ctx, listener)
}

func (a *App) start(ctx context.Context) error {
	for _, m := range a.Modules {
		if m.Start == nil {
			continue
		}
		if err := m.Start(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

// ServeOn is like Serve on an existing listener, which it closes. It does not start
// the modules. Connections of a Unix socket appear to come from 127.0.0.1;
// TRUSTED_PROXIES determines whether that is a trusted proxy.
func (a *App) ServeOn(ctx context.Context, listener net.Listener) error {
	addr := listener.Addr()
	if addr.Network() == "unix" {
		listener = unixListener{listener}
	}
	tlsConfig, err := a.Config.tlsConfig()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	serve := func(s *http.Server) error { return s.Serve(listener) }
	if tlsConfig != nil {
		serve = func(s *http.Server) error {
			s.TLSConfig = tlsConfig
			go a.obtainCertificates(tlsConfig)
			return s.ServeTLS(listener, "", "")
		}
	}
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler:           a,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(a.Log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	// Background work outlives ctx while requests in progress may still need it.
	running, stop := context.WithCancel(a.withAround(context.WithoutCancel(ctx)))
	defer stop()
	background, failing := errgroup.WithContext(running)
	for _, m := range a.Modules {
		if m.Run != nil {
			background.Go(func() error {
				if err := m.Run(failing); err != nil && running.Err() == nil {
					return fmt.Errorf("%s: %w", m.Name, err)
				}
				return nil
			})
		}
	}
	served := make(chan error, 1)
	go func() { served <- serve(server) }()
	a.Log.Info("listening", "addr", addr.String())

	var failure error
	var delay <-chan time.Time
	select {
	case failure = <-served:
	case <-failing.Done():
	case <-ctx.Done():
		delay = time.After(a.Config.ShutdownDelay)
	}
	begun := time.Now()
	a.draining.Store(true)
	a.Log.Info("shutting down", "delay", a.Config.ShutdownDelay)
	end := time.NewTimer(stopTimeout)
	defer end.Stop()
	if delay != nil {
		select {
		case failure = <-served:
		case <-failing.Done():
		case <-delay:
		}
	}
	drain, cancel := context.WithDeadline(context.WithoutCancel(ctx), earlier(time.Now().Add(drainTimeout), begun.Add(stopTimeout-time.Second)))
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		a.Log.Warn("requests were cut off", "error", err)
		cut()
		failure = errors.Join(failure, server.Close())
	}
	stop()
	stopped := make(chan error, 1)
	go func() { stopped <- background.Wait() }()
	select {
	case err := <-stopped:
		failure = errors.Join(failure, err)
	case <-end.C:
		failure = errors.Join(failure, errors.New("background work did not stop in time"))
	}
	a.stop(ctx, begun.Add(lastEnd))
	return failure
}

// stop calls Stop of each module, until then at most.
func (a *App) stop(ctx context.Context, then time.Time) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), earlier(then, time.Now().Add(lastTimeout)))
	defer cancel()
	for _, m := range a.Modules {
		if m.Stop != nil {
			m.Stop(ctx)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// listen listens on the configured address.
func listen(addr string) (net.Listener, error) {
	kind, address, err := network(addr)
	if err != nil {
		return nil, err
	}
	if kind == "unix" {
		if info, err := os.Lstat(address); err == nil && info.Mode().Type() == fs.ModeSocket {
			_ = os.Remove(address) // left by a killed process
		}
	}
	listener, err := net.Listen(kind, address)
	if inUse(err) {
		return nil, fmt.Errorf("the address %s is in use\n  where: another program listens there\n  try:   ADDR=127.0.0.1:0 for a free port", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w\n  where: ADDR\n  try:   ADDR=127.0.0.1:8000", addr, err)
	}
	return listener, nil
}

// inUse reports whether err means that the address is in use: EADDRINUSE, or 10048 on
// Windows.
func inUse(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && (number == syscall.EADDRINUSE || number == 10048)
}

// unixListener reports two local TCP addresses for the connections of a Unix socket:
// Gin trusts the proxy headers of every client on a Unix socket.
type unixListener struct{ net.Listener }

// Accept implements net.Listener.
func (l unixListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return unixConn{conn}, nil
}

type unixConn struct{ net.Conn }

// RemoteAddr implements net.Conn.
func (unixConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// LocalAddr implements net.Conn.
func (c unixConn) LocalAddr() net.Addr { return c.RemoteAddr() }
