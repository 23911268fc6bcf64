package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"
	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"
)

// crashPause is how long a version must have run to be restarted when it exits.
const crashPause = 2 * time.Second

// outcome is the result of an attempt.
type outcome struct {
	build.Result
	app       *process.App
	err       error // it was cancelled or could not run
	cancelled bool
	paths     []string
	restart   bool
}

// begin starts an attempt to run the current source.
func (s *server) begin(ctx context.Context) {
	begun := time.Now()
	fresh, paths, since, hasNew := s.changes.take(begun)
	hasNew = hasNew || !s.inFlight.stale // after several saves in a row, report only files that had not changed before
	var files []string
	for _, path := range fresh {
		files = append(files, build.Relative(s.root, path))
	}
	if len(files) > 0 && hasNew {
		s.emit(event.Event{Kind: event.KindChange, Files: files})
	}
	s.proxy.Hold()
	last := s.live.State()
	s.live.Send(proxy.Status{State: "building", Version: last.Version})
	if s.testing != nil {
		s.testing()
	}
	s.versions.count++
	id := s.versions.count
	forced, restart := s.changes.takeFlags()
	restart = restart || s.versions.current == nil
	s.inFlight.stale = false
	attempt, cancel := context.WithCancel(ctx)
	s.inFlight.cancel = cancel
	go func() {
		out := s.attempt(attempt, id, paths, forced, restart)
		out.ID, out.Watch, out.Total = id, event.Milliseconds(begun.Sub(since)), event.Milliseconds(time.Since(since))
		out.cancelled = attempt.Err() != nil
		out.paths, out.restart = paths, restart
		s.inFlight.outcomes <- out // received by the loop or by shutdown
	}()
}

// attempt builds and starts the program. It runs outside the loop, one at a time.
func (s *server) attempt(ctx context.Context, id int, paths []string, forced, restart bool) (out outcome) {
	if _, err := os.Stat(s.dir); err != nil {
		out.err = fmt.Errorf("the directory of the program is gone: %s\nwhen it is back, save a file there", s.dir)
		return out
	}
	if forced {
		s.builder.Forget()
	}
	out.Result, out.err = s.builder.Build(ctx, paths)
	if out.err != nil || out.Failed() || ctx.Err() != nil || out.Same && !restart {
		return out
	}
	if out.Same {
		out.Mode, out.Why = event.ModeRestart, ""
	}
	begun := time.Now()
	env, least := s.environ(), slog.LevelInfo
	if s.nexios {
		var logs []string
		logs, least = logSettings(s.dir, env)
		env = slices.Concat(env, logs)
	}
	out.app, out.err = process.Launch(ctx, s.spawn, s.debug, id, out.Binary, s.dir, s.state, env, func(l process.Line) bool { return s.showLine(l, least) })
	out.Start = event.Milliseconds(time.Since(begun))
	if out.err == nil {
		return out
	}
	if ctx.Err() != nil || out.app == nil {
		out.app = nil
		return out
	}
	text := out.app.Tail.String()
	out.Stage = event.StageStart
	if out.Errors = build.ParsePanic(s.dir, text); len(out.Errors) == 0 {
		out.Output = strings.TrimSpace(lastLines(text, 30))
	}
	if errors.Is(out.err, process.ErrExited) {
		out.Output = strings.TrimSpace(out.Output + "\nit exited with: " + out.app.ExitStatus())
	} else {
		out.Output = strings.TrimSpace(out.Output + "\n" + out.err.Error())
	}
	out.app, out.err = nil, nil
	return out
}

// lastLines returns the last n lines of text.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// finish handles the end of an attempt.
func (s *server) finish(ctx context.Context, out outcome) {
	s.inFlight.cancel()
	s.inFlight.cancel = nil
	if out.cancelled || s.inFlight.stale {
		// There is a newer change. If the attempt has succeeded all the same, its
		// version must not be seen.
		if out.app != nil {
			s.retire(out.app)
		}
		s.changes.restart = s.changes.restart || out.restart || out.Binary != "" && !out.Same
		s.begin(ctx)
		return
	}
	s.changes.since = time.Time{}
	if out.err != nil {
		out.Stage = event.StageBuild
		out.Output = out.err.Error()
	}
	if out.Binary != "" && out.Stage != event.StageBuild {
		s.versions.newest = out.Binary
		s.changes.built(out.paths)
	}
	more := len(s.changes.fresh) > 0 // requests keep waiting
	switch {
	case out.Stage != "":
		s.fail(out)
		if out.Stage == event.StageStart && s.nexios && s.migrationsChanged(out.paths) {
			go s.noteMigrations(ctx, out.Binary, nil, true)
		}
	case out.app == nil:
		if s.versions.current == nil { // it exited meanwhile
			s.begin(ctx)
			return
		}
		s.emit(event.Event{Kind: event.KindUnchanged})
		if !more {
			s.proxy.Release(nil)
		}
		state := proxy.Status{State: "ok", Version: s.proxy.Version(s.versions.current.ID)}
		for _, path := range out.paths {
			if asset(path) {
				state.Assets = append(state.Assets, build.Relative(s.root, path))
			}
		}
		s.live.Send(state)
	default:
		s.promote(ctx, out, more)
	}
	if out.Stage != event.StageBuild {
		s.builder.Improve(ctx, func(g *build.Graph) {
			if err := s.watch.need(g.Watched()); err != nil {
				s.note("cannot watch a directory of the program: " + err.Error())
			}
		})
	}
}

// fail keeps the last good version and reports the failure. If the program did not
// start, the next attempt starts it even if it is unchanged.
func (s *server) fail(out outcome) {
	s.changes.restart = out.Stage == event.StageStart
	b := out.Build
	state := proxy.Status{State: "failed", Build: &b}
	e := event.Event{Kind: event.KindFailed, Build: &b, Text: "  nothing is served until it does"}
	if s.versions.current != nil {
		state.Version = s.proxy.Version(s.versions.current.ID)
		e.Text = fmt.Sprintf("  version %d keeps serving, with the header %s: failed", s.versions.current.ID, proxy.BuildHeader)
	}
	s.live.Send(state)
	s.emit(e)
	s.proxy.Release(&b)
}

// promote makes a new version the one that serves.
func (s *server) promote(ctx context.Context, out outcome, more bool) {
	first, changed := s.versions.current == nil, s.migrationsChanged(out.paths)
	s.versions.current = out.app
	// Emitted before the swap, while requests still wait: a client that reacts to the
	// event gets its response from the new version.
	s.emit(event.Event{Kind: event.KindBuilt, Build: &out.Build})
	before := s.proxy.Swap(out.app)
	if more {
		s.proxy.Hold()
	}
	go func() {
		<-out.app.Exited
		select {
		case s.versions.gone <- out.app:
		case <-ctx.Done():
		}
	}()
	if before != nil {
		s.retire(before)
	}
	s.live.Send(proxy.Status{State: "ok", Version: s.proxy.Version(out.app.ID)})
	if s.o.Test && len(s.untested) > 0 {
		s.test(ctx)
	}
	if s.nexios {
		go s.noteMigrations(ctx, out.Binary, out.app, changed)
		if s.o.Serving != nil {
			go s.callServing(ctx, out.Binary)
		}
	}
	if first && s.o.Open && !s.opened {
		s.opened = true
		s.browse(s.url)
	}
}

// callServing calls Options.Serving and shows its note or error.
func (s *server) callServing(ctx context.Context, binary string) {
	note, err := s.o.Serving(ctx, s.dir, binary, s.environ())
	if err != nil && ctx.Err() == nil {
		note = err.Error()
	}
	if note != "" {
		s.note(note)
	}
}

// retire stops a version in the background; shutdown waits for it.
func (s *server) retire(a *process.App) {
	s.versions.retired.Go(func() { a.Retire(s.o.drain) })
}

// crashed handles a version that exited on its own.
func (s *server) crashed(ctx context.Context, a *process.App) {
	if s.versions.current != a {
		return
	}
	s.versions.current = nil
	why := "the program exited: " + a.ExitStatus()
	s.proxy.Drop(a, why)
	s.emit(event.Event{Kind: event.KindExit, Text: why})
	if s.inFlight.cancel != nil {
		return // the attempt in progress will replace it
	}
	if time.Since(a.Started) < crashPause {
		b := event.Build{ID: a.ID, Stage: event.StageStart, Errors: build.ParsePanic(s.dir, a.Tail.String()), Output: why}
		s.live.Send(proxy.Status{State: "down", Build: &b})
		s.note("it restarts on the next change, or press r")
		return
	}
	s.changes.restart = true
	s.begin(ctx)
}
