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

// The keys of the screen.
const (
	keyRebuild = "r"
	keyTest    = "t"
	keyOpen    = "o"
	keyMigrate = "m"
	keyQuit    = "q"
)

// press does what a key asks for.
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

// test runs the tests of what changed, after cancelling those under way.
func (s *server) test(ctx context.Context) {
	list := s.rooms.list()
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
		t, err := testRooms(ctx, s.spawn, s.root, list)
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
					delete(s.rooms, dir)
				}
			}
			s.emit(event.Event{Kind: event.KindTest, Test: &t})
		})
	}()
}

func (s *server) browse(url string) {
	openBrowser(url, func() { s.note("cannot open a browser; open " + url) })
}

// remind tells what stands between a program and its database: migrations that
// wait, if a version says that it is not ready, and, when they may have changed,
// those that the database has and the program has no more.
func (s *server) remind(ctx context.Context, binary string, a *process.App, changed bool) {
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

// migrationsChanged says whether the migrations may be others than when the
// database was last asked.
func (s *server) migrationsChanged(paths []string) bool {
	return s.versions.current == nil || slices.ContainsFunc(paths, func(path string) bool {
		return filepath.Base(filepath.Dir(path)) == "migrations"
	})
}

// migrate applies the pending migrations of the newest program, which may be
// one that does not start without them.
func (s *server) migrate(ctx context.Context) {
	if !s.nexios || s.versions.newest == "" {
		s.note("cannot migrate: no program was built, or it has no migrate command")
		return
	}
	binary := s.versions.newest
	go func() {
		out, err := s.ask(ctx, binary, "migrate", "up")
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
