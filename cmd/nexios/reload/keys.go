package reload

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// Keys of the screen.
const (
	keyRebuild = "r"
	keyTest    = "t"
	keyOpen    = "o"
	keyMigrate = "m"
	keyQuit    = "q"
)

// press handles a key.
func (s *server) press(ctx context.Context, key string) {
	switch key {
	case keyRebuild:
		s.proxy.Hold()
		s.changes.forced, s.changes.restart = true, true
		s.changes.wait()
	case keyTest:
		s.test(ctx)
	case keyOpen:
		s.browse(s.url + "/docs")
	case keyMigrate:
		s.migrate(ctx)
	}
}

// test cancels running tests and runs those of the changed packages.
func (s *server) test(ctx context.Context) {
	list := s.untested.list()
	if len(list) == 0 {
		s.note("no package has changed since its tests passed")
		return
	}
	if s.testing != nil {
		s.testing()
	}
	quit := ctx.Done()
	ctx, cancel := context.WithCancel(ctx)
	s.testing = cancel
	s.note("testing " + short(list))
	go func() {
		defer cancel()
		t, err := runTests(ctx, s.spawn, s.root, list)
		select {
		case <-quit:
			return
		default:
		}
		if ctx.Err() != nil {
			s.note("the tests of " + short(list) + " were stopped by a newer change")
			return
		}
		if err != nil {
			s.note("cannot run the tests: " + err.Error())
			return
		}
		s.do(ctx, func() {
			if t.OK {
				for _, dir := range list {
					delete(s.untested, dir)
				}
			}
			s.emit(event.Event{Kind: event.KindTest, Test: &t})
		})
	}()
}

func (s *server) browse(url string) {
	openBrowser(url, func() { s.note("cannot open a browser; open " + url) })
}

// noteMigrations reports differences between the program and its database: pending
// migrations, if the version a is not ready, and, if migrations may have changed, those
// applied to the database that the program no longer has.
func (s *server) noteMigrations(ctx context.Context, binary string, a *process.App, changed bool) {
	ready := true
	if a != nil {
		status, err := a.Get(ctx, "/readyz")
		ready = err != nil || status != http.StatusServiceUnavailable
	}
	if ready && !changed {
		return
	}
	pending, unknown := s.migrations(ctx, binary)
	if !ready && pending > 0 {
		do := "run: go run . migrate up"
		if s.screen != nil {
			do = "press m"
		}
		s.note(fmt.Sprintf("pending migrations: %d; %s", pending, do))
	}
	if changed && len(unknown) > 0 {
		s.note("applied, but no longer in the program: " + short(unknown) +
			"\n  its changes remain: revert them by hand, or start with an empty database" +
			"\n  before the next nexios undo: go run . migrate down")
	}
}

// migrationsChanged reports whether migrations may have changed since the database was
// last queried.
func (s *server) migrationsChanged(paths []string) bool {
	return s.versions.current == nil || slices.ContainsFunc(paths, func(path string) bool {
		return filepath.Base(filepath.Dir(path)) == "migrations"
	})
}

// migrate applies the pending migrations of the newest binary, which may not even start
// without them.
func (s *server) migrate(ctx context.Context) {
	if !s.nexios || s.versions.newest == "" {
		s.note("cannot migrate: no program was built, or it has no migrate command")
		return
	}
	binary := s.versions.newest
	go func() {
		out, err := s.runCommand(ctx, binary, "migrate", "up")
		for line := range strings.Lines(out) {
			s.emit(event.Event{Kind: event.KindLog, Text: strings.TrimRight(line, "\r\n")})
		}
		if err != nil {
			s.note("not all migrations ran: " + err.Error())
			return
		}
		s.note("the database is up to date")
		s.do(ctx, func() {
			if s.changes.restart || s.versions.current == nil { // it did not start
				s.press(ctx, keyRebuild)
			}
		})
	}()
}
