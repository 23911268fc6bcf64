package reload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/build"
	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

// watchedWriter is a writer that closes outputClosed when the other end is closed. It
// must be used by one goroutine.
type watchedWriter struct {
	w            io.Writer
	outputClosed chan struct{}
	gone         bool
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if !w.gone && (errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)) {
		w.gone = true
		close(w.outputClosed)
	}
	return n, err
}

// plainWriter returns a function that writes events as lines of text.
func plainWriter(w io.Writer) func(event.Event) {
	var last time.Time // of a build that takes long
	return func(e event.Event) {
		if e.Kind == event.KindBuilding {
			if time.Since(last) < buildingEvery {
				return
			}
			last = time.Now()
		}
		text := describe(e)
		if timed(e) {
			text = e.Time.Format("15:04:05") + " " + text
		}
		fmt.Fprintln(w, text)
	}
}

// buildingEvery is how often plain output reports that a build is in progress.
const buildingEvery = 10 * time.Second

// progress describes the progress of a build.
func progress(p build.Progress) string {
	text := fmt.Sprintf("building for %.0f s", p.Took.Seconds())
	if p.Packages > 0 {
		text += fmt.Sprintf(", %d packages", p.Packages)
	}
	if p.Newest != "" {
		text += ": " + p.Newest
	}
	return text
}

// jsonWriter returns a function that writes each event as a line of JSON.
func jsonWriter(w io.Writer) func(event.Event) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(e event.Event) { _ = enc.Encode(e) } // the output is closed or the disk is full: nobody to report to
}

// describe returns an event as text, without its time. Failures, tests, exits and some
// notes have several lines.
func describe(e event.Event) string {
	switch e.Kind {
	case event.KindListening:
		return "listening at " + e.URL + "  (live view: " + e.URL + "/dev)"
	case event.KindDebugger:
		return "debug at " + e.Address + "  (attach an editor to it, or: dlv connect " + e.Address + ")"
	case event.KindChange:
		return "changed " + short(e.Files)
	case event.KindAssets:
		return "pages reload " + short(e.Files)
	case event.KindUnchanged:
		return "nothing to do: the program is unchanged"
	case event.KindBuilt:
		text := fmt.Sprintf("version %d runs after %s (%s: %s)", e.Build.ID, event.Duration(e.Build.Total), e.Build.Mode, e.Build.Parts())
		if e.Build.Why != "" {
			text += "; " + firstLine(e.Build.Why)
		}
		return text
	case event.KindFailed:
		return failure(*e.Build) + e.Text
	case event.KindRequest:
		return requestLine(*e.Request)
	case event.KindTest:
		return testLines(*e.Test)
	}
	return e.Text
}

// failure describes a failed build.
func failure(b event.Build) string {
	var s strings.Builder
	if b.Stage == event.StageStart {
		s.WriteString("FAILED the program does not start\n")
	} else {
		s.WriteString("FAILED the program does not build\n")
	}
	for _, d := range b.Errors {
		fmt.Fprintf(&s, "  %s: %s\n", d.Place(), strings.ReplaceAll(d.Message, "\n", "\n  "))
		if d.Source != "" {
			fmt.Fprintf(&s, "  %5d | %s\n", d.Line, strings.ReplaceAll(d.Source, "\t", "    "))
		}
	}
	if b.Output != "" {
		s.WriteString("  " + strings.ReplaceAll(strings.TrimSpace(b.Output), "\n", "\n  ") + "\n")
	}
	return s.String()
}

// requestLine puts the path near the end of the line, where a narrow terminal cuts it
// off.
func requestLine(r event.Request) string {
	sql := ""
	if r.SQL > 0 {
		sql = fmt.Sprintf("%d SQL", r.SQL)
	}
	text := fmt.Sprintf("%d %8s %7s ", r.Status, event.Duration(r.Took), sql)
	if r.Repeat > event.ManyRepeats {
		text += fmt.Sprintf("N+1? ×%d ", r.Repeat)
	}
	text += fmt.Sprintf("%-6s %s", r.Method, r.Path)
	if r.Waited >= 1 {
		text += ", waited " + event.Duration(r.Waited)
	}
	if r.Stale {
		text += ", BY THE LAST WORKING VERSION"
	}
	return text
}

func testLines(t event.Test) string {
	if t.OK {
		return fmt.Sprintf("tests of %s pass (%s)", short(t.Packages), event.Duration(t.Took))
	}
	return fmt.Sprintf("TESTS FAIL in %s (%s)\n  %s", short(t.Packages), event.Duration(t.Took),
		strings.ReplaceAll(strings.TrimSpace(t.Output), "\n", "\n  "))
}

// short returns the first items of a list and the number of others.
func short(list []string) string {
	if len(list) <= 3 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:2], ", "), len(list)-2)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// timed reports whether e is shown with its time. Lines of the program that are not log
// records have their own, or are parts of something longer.
func timed(e event.Event) bool { return e.Kind != event.KindLog || e.Level != "" }
