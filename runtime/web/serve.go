package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of every connection, so that a slow client holds nothing for long.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 120 * time.Second
	maxHeader     = 64 << 10 // bytes
	drainTimeout  = 8 * time.Second
	stopTimeout   = time.Second // for what the modules do in the background, after that
)

// Serve listens on Config.Addr and runs the modules' background work until ctx
// ends or one of them fails. Then /readyz says 503, no connection is accepted
// any more, requests under way have 8 seconds to end, and the background work
// stops; after 10 seconds it returns in any case.
func (a *App) Serve(ctx context.Context) error {
	kind, address, err := network(a.Config.Addr)
	if err != nil {
		return err
	}
	if kind == "unix" {
		_ = os.Remove(address) // of a process that was killed
	}
	listener, err := net.Listen(kind, address)
	if err != nil {
		return err
	}
	return a.ServeOn(ctx, listener)
}

// ServeOn is Serve on a listener that is there already; it closes it.
func (a *App) ServeOn(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	work, failed := errgroup.WithContext(background)
	for _, m := range a.Modules {
		if m.Run != nil {
			work.Go(func() error { return m.Run(background) })
		}
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	a.Log.Info("listening", "addr", listener.Addr().String())

	select {
	case err := <-served:
		stop()
		return errors.Join(err, work.Wait())
	case <-failed.Done():
	case <-ctx.Done():
	}
	a.draining.Store(true)
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drained)
	stop()
	return errors.Join(err, work.Wait())
}
