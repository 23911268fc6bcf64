package reload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
)

// watchedWriter is a writer that closes unread when the other end is gone. It
// belongs to one goroutine.
type watchedWriter struct {
	w      io.Writer
	unread chan struct{}
	gone   bool
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if !w.gone && (errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)) {
		w.gone = true
		close(w.unread)
	}
	return n, err
}

// plainWriter shows each event as lines of text.
func plainWriter(w io.Writer) func(Event) {
	return func(e Event) {
		text := describe(e)
		if e.timed() {
			text = e.Time.Format("15:04:05") + " " + text
		}
		fmt.Fprintln(w, text)
	}
}

// timed says whether e is shown with its time: a program's lines that are no
// records carry their own, or are parts of something longer.
func (e Event) timed() bool { return e.Kind != KindLog || e.Level != "" }

// jsonWriter shows each event as one line of JSON.
func jsonWriter(w io.Writer) func(Event) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(e Event) { _ = enc.Encode(e) } // nobody reads any more, or the disk is full: there is nobody to tell
}

// describe is an event as text, without its time. Failures, tests, exits and
// some notes have several lines.
func describe(e Event) string {
	switch e.Kind {
	case KindListening:
		return "listening at " + e.URL + "  (what happens: " + e.URL + "/dev)"
	case KindDebugger:
		return "debug at " + e.Address + "  (attach an editor to it, or: dlv connect " + e.Address + ")"
	case KindChange:
		return "changed " + short(e.Files)
	case KindAssets:
		return "pages load " + short(e.Files) + " again"
	case KindUnchanged:
		return "nothing to do: the program is the same"
	case KindBuilt:
		text := fmt.Sprintf("version %d runs after %s (%s: %s)", e.Build.ID, duration(e.Build.Total), e.Build.Mode, e.Build.parts())
		if e.Build.Why != "" {
			text += "; " + firstLine(e.Build.Why)
		}
		return text
	case KindFailed:
		return failure(*e.Build) + e.Text
	case KindRequest:
		return requestLine(*e.Request)
	case KindTest:
		return testLines(*e.Test)
	}
	return e.Text
}

// failure is what a person needs to mend a build.
func failure(b Build) string {
	var s strings.Builder
	if b.Stage == stageStart {
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

// requestLine has the path near its end, where a narrow terminal cuts.
func requestLine(r Request) string {
	sql := ""
	if r.SQL > 0 {
		sql = fmt.Sprintf("%d SQL", r.SQL)
	}
	text := fmt.Sprintf("%d %8s %7s ", r.Status, duration(r.Took), sql)
	if r.Repeat > manyRepeats {
		text += fmt.Sprintf("N+1? ×%d ", r.Repeat)
	}
	text += fmt.Sprintf("%-6s %s", r.Method, r.Path)
	if r.Waited >= 1 {
		text += ", waited " + duration(r.Waited)
	}
	if r.Stale {
		text += ", BY THE LAST GOOD VERSION"
	}
	return text
}

// manyRepeats is how often one statement may run for one request before it
// looks like one query a row.
const manyRepeats = 4

func testLines(t Test) string {
	if t.OK {
		return fmt.Sprintf("tests of %s pass (%s)", short(t.Packages), duration(t.Took))
	}
	return fmt.Sprintf("TESTS FAIL in %s (%s)\n  %s", short(t.Packages), duration(t.Took),
		strings.ReplaceAll(strings.TrimSpace(t.Output), "\n", "\n  "))
}

// short names the first of a list, and how many more there are.
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
