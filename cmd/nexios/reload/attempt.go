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

// crashPause is how long a version must have run to be started again when it
// ends by itself.
const crashPause = 2 * time.Second

// outcome is what an attempt ended with.
type outcome struct {
	build.Result
	app       *process.App
	err       error // it was cancelled, or could not be tried
	cancelled bool
	paths     []string
	restart   bool
}

// begin starts an attempt to get what is there now running.
func (s *server) begin(ctx context.Context) {
	begun := time.Now()
	fresh, paths, since, news := s.changes.take(begun)
	news = news || !s.trying.stale // of many saves in a row only what the first did not change is told
	var files []string
	for _, path := range fresh {
		files = append(files, build.Relative(s.root, path))
	}
	if len(files) > 0 && news {
		s.emit(event.Event{Kind: event.KindChange, Files: files})
	}
	s.proxy.Hold()
	last := s.live.State()
	s.live.Tell(proxy.Status{State: "building", Version: last.Version})
	if s.testing != nil {
		s.testing()
	}
	s.versions.count++
	id := s.versions.count
	forced, restart := s.changes.orders()
	restart = restart || s.versions.current == nil
	s.trying.stale = false
	attempt, cancel := context.WithCancel(ctx)
	s.trying.cancel = cancel
	go func() {
		out := s.attempt(attempt, id, paths, forced, restart)
		out.ID, out.Watch, out.Total = id, event.Milliseconds(begun.Sub(since)), event.Milliseconds(time.Since(since))
		out.cancelled = attempt.Err() != nil
		out.paths, out.restart = paths, restart
		s.trying.outcomes <- out // the loop takes it, or shutdown
	}()
}

// attempt builds and starts. It runs beside the loop, one at a time.
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
	out.app, out.err = process.Launch(ctx, s.spawn, s.door, id, out.Binary, s.dir, s.state, env, func(l process.Line) bool { return s.heard(l, least) })
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
	if out.Errors = build.Panicked(s.dir, text); len(out.Errors) == 0 {
		out.Output = strings.TrimSpace(lastLines(text, 30))
	}
	if errors.Is(out.err, process.ErrExited) {
		out.Output = strings.TrimSpace(out.Output + "\nit exited with: " + out.app.How())
	} else {
		out.Output = strings.TrimSpace(out.Output + "\n" + out.err.Error())
	}
	out.app, out.err = nil, nil
	return out
}

// lastLines is the end of text.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// finish acts on the end of an attempt.
func (s *server) finish(ctx context.Context, out outcome) {
	s.trying.cancel()
	s.trying.cancel = nil
	if out.cancelled || s.trying.stale {
		// A newer change came first. Should the attempt have been through in
		// that moment, its version must not be seen.
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
	again := len(s.changes.fresh) > 0 // requests go on waiting
	switch {
	case out.Stage != "":
		s.fail(out)
		if out.Stage == event.StageStart && s.nexios && s.migrationsChanged(out.paths) {
			go s.remind(ctx, out.Binary, nil, true)
		}
	case out.app == nil:
		if s.versions.current == nil { // it ended meanwhile
			s.begin(ctx)
			return
		}
		s.emit(event.Event{Kind: event.KindUnchanged})
		if !again {
			s.proxy.Release(nil)
		}
		state := proxy.Status{State: "ok", Version: s.proxy.Version(s.versions.current.ID)}
		for _, path := range out.paths {
			if asset(path) {
				state.Assets = append(state.Assets, build.Relative(s.root, path))
			}
		}
		s.live.Tell(state)
	default:
		s.take(ctx, out, again)
	}
	if out.Stage != event.StageBuild {
		s.builder.Improve(ctx, func(g *build.Graph) {
			if err := s.watch.need(g.Watched()); err != nil {
				s.note("cannot watch a directory of the program: " + err.Error())
			}
		})
	}
}

// fail keeps the last good version and says why loudly. The next attempt must
// start the program even if it is the same one as now.
func (s *server) fail(out outcome) {
	s.changes.restart = out.Stage == event.StageStart
	b := out.Build
	state := proxy.Status{State: "failed", Build: &b}
	e := event.Event{Kind: event.KindFailed, Build: &b, Text: "  nothing is served until it does"}
	if s.versions.current != nil {
		state.Version = s.proxy.Version(s.versions.current.ID)
		e.Text = fmt.Sprintf("  version %d keeps serving, with the header %s: failed", s.versions.current.ID, proxy.BuildHeader)
	}
	s.live.Tell(state)
	s.emit(e)
	s.proxy.Release(&b)
}

// take makes a new version the one that answers.
func (s *server) take(ctx context.Context, out outcome, again bool) {
	first, changed := s.versions.current == nil, s.migrationsChanged(out.paths)
	s.versions.current = out.app
	// Told before it is done, while requests still wait: whoever hears of the
	// version and asks is answered by it.
	s.emit(event.Event{Kind: event.KindBuilt, Build: &out.Build})
	before := s.proxy.Swap(out.app)
	if again {
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
	s.live.Tell(proxy.Status{State: "ok", Version: s.proxy.Version(out.app.ID)})
	if s.o.Test && len(s.rooms) > 0 {
		s.test(ctx)
	}
	if s.nexios {
		go s.remind(ctx, out.Binary, out.app, changed)
		if s.o.Serving != nil {
			go s.serving(ctx, out.Binary)
		}
	}
	if first && s.o.Open && !s.opened {
		s.opened = true
		s.browse(s.url)
	}
}

// serving tells whom it concerns that a version serves.
func (s *server) serving(ctx context.Context, binary string) {
	note, err := s.o.Serving(ctx, s.dir, binary, s.environ())
	if err != nil && ctx.Err() == nil {
		note = err.Error()
	}
	if note != "" {
		s.note(note)
	}
}

// retire ends a version in the background; shutdown waits for it.
func (s *server) retire(a *process.App) {
	s.versions.retired.Go(func() { a.Retire(s.o.drain) })
}

// crashed acts on a version that ended by itself.
func (s *server) crashed(ctx context.Context, a *process.App) {
	if s.versions.current != a {
		return
	}
	s.versions.current = nil
	why := "the program exited: " + a.How()
	s.proxy.Lose(a, why)
	s.emit(event.Event{Kind: event.KindExit, Text: why})
	if s.trying.cancel != nil {
		return // what is under way will take its place
	}
	if time.Since(a.Started) < crashPause {
		b := event.Build{ID: a.ID, Stage: event.StageStart, Errors: build.Panicked(s.dir, a.Tail.String()), Output: why}
		s.live.Tell(proxy.Status{State: "down", Build: &b})
		s.note("it restarts on the next change, or press r")
		return
	}
	s.changes.restart = true
	s.begin(ctx)
}
