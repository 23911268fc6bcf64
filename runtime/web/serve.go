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

// Limits of every connection, so that a slow client holds nothing for long.
// The read limit is below the handler's: a body that comes too slowly can
// still be told so.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 20 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 120 * time.Second
	maxHeader     = 64 << 10 // bytes
)

// Limits of the end: the whole takes less than the ten seconds after which
// what runs the process kills it.
const (
	drainTimeout = 6 * time.Second
	stopTimeout  = 9 * time.Second // drain included
	lastTimeout  = 3 * time.Second // for what follows, which ends before
	lastEnd      = 9500 * time.Millisecond
)

// gcPercent is how much the heap grows between garbage collections, in percent
// of what lives. An application's live heap is small, some 5 to 20 MB, and a
// request makes little but garbage: at Go's own 100 a tenth of the CPU time
// goes into collecting. 400 costs up to three times the live heap in memory
// more. GOGC in the environment overrules it; GOMEMLIMIT bounds it.
const gcPercent = 400

// Serve starts the modules, listens on Config.Addr and runs the modules'
// background work until ctx ends or one of them fails. Then /readyz says 503
// while everything is served for another Config.ShutdownDelay, so that who hands
// out requests can see it; no connection is accepted any more, requests under way
// have 6 seconds to end, or what the delay has left of 8, and are cut after that,
// the background work stops, and the modules end. After 9.5
// seconds it returns in any case. The garbage collector runs less often than Go's default
// from here on, unless the environment sets GOGC.
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

// ServeOn is Serve on a listener that is there already; it closes it. The
// connections of a Unix socket come from 127.0.0.1 as far as the application
// knows: whether what connects there is a proxy, TRUSTED_PROXIES says.
func (a *App) ServeOn(ctx context.Context, listener net.Listener) error {
	addr := listener.Addr()
	if addr.Network() == "unix" {
		listener = local{listener}
	}
	encryption, err := a.Config.encryption()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	serve := func(s *http.Server) error { return s.Serve(listener) }
	if encryption != nil {
		serve = func(s *http.Server) error {
			s.TLSConfig = encryption
			go a.obtain(encryption)
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
	// The background outlives ctx by the time that requests take to end: they
	// may still need it.
	running, stop := context.WithCancel(a.surround(context.WithoutCancel(ctx)))
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
	drain, cancel := context.WithDeadline(context.WithoutCancel(ctx), sooner(time.Now().Add(drainTimeout), begun.Add(stopTimeout-time.Second)))
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

// stop lets the modules end what they have left, until then at most.
func (a *App) stop(ctx context.Context, then time.Time) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), sooner(then, time.Now().Add(lastTimeout)))
	defer cancel()
	for _, m := range a.Modules {
		if m.Stop != nil {
			m.Stop(ctx)
		}
	}
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// listen opens the address of the settings.
func listen(addr string) (net.Listener, error) {
	kind, address, err := network(addr)
	if err != nil {
		return nil, err
	}
	if kind == "unix" {
		if info, err := os.Lstat(address); err == nil && info.Mode().Type() == fs.ModeSocket {
			_ = os.Remove(address) // of a process that was killed
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

// inUse says whether err is a taken address: EADDRINUSE, or 10048 on Windows.
func inUse(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && (number == syscall.EADDRINUSE || number == 10048)
}

// local gives the connections of a Unix socket two addresses of this machine:
// Gin believes what anybody says on a connection that it takes for one.
type local struct{ net.Listener }

// Accept implements net.Listener.
func (l local) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return localConn{conn}, nil
}

type localConn struct{ net.Conn }

// RemoteAddr implements net.Conn.
func (localConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// LocalAddr implements net.Conn.
func (c localConn) LocalAddr() net.Addr { return c.RemoteAddr() }
