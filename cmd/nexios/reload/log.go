package reload

import (
	"log/slog"
	"strings"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// showLine shows a line of the program if its level is at least least and it does not
// belong to a request only. It reports whether the line was shown.
func (s *server) showLine(l process.Line, least slog.Level) bool {
	if s.proxy.Note(l) || l.Record && l.Level < least || s.debug != nil && l.Text == process.DlvEnded || s.internalLine(l) {
		return false
	}
	e := event.Event{Kind: event.KindLog, Text: l.Text, RequestID: l.Request}
	if l.Record {
		e.Level = l.Level.String()
	}
	s.emit(e)
	return true
}

// internalLine reports whether l only says where a version listens behind the proxy, or
// that a version is shutting down.
func (s *server) internalLine(l process.Line) bool {
	return l.Record && l.Level == slog.LevelInfo &&
		(l.Message == process.MessageListens && strings.Contains(l.Text, s.state) || l.Message == process.MessageEnds)
}
