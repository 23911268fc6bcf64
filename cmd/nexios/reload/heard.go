package reload

import (
	"log/slog"
	"strings"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// heard shows a line of the program from the level least on, unless it is only
// of use to a request. It returns whether a person sees it.
func (s *server) heard(l process.Line, least slog.Level) bool {
	if s.proxy.Note(l) || l.Record && l.Level < least || s.door != nil && l.Text == process.DlvEnded || s.ownAffair(l) {
		return false
	}
	e := event.Event{Kind: event.KindLog, Text: l.Text, RequestID: l.Request}
	if l.Record {
		e.Level = l.Level.String()
	}
	s.emit(e)
	return true
}

// ownAffair says whether l only tells where a version listens behind the proxy,
// or that one ends which was told to.
func (s *server) ownAffair(l process.Line) bool {
	return l.Record && l.Level == slog.LevelInfo &&
		(l.Message == process.MessageListens && strings.Contains(l.Text, s.state) || l.Message == process.MessageEnds)
}
