package process

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

// Line is one line that the program wrote.
type Line struct {
	Text    string // as a person reads it; a stack makes it several lines
	Record  bool   // it was one of log/slog's JSON handler; what follows is its
	Level   slog.Level
	Message string
	Request string           // the id of the request that it belongs to, or ""
	SQL     *event.Statement // that it tells of, or nil
}

// What the runtime of a program calls its records.
const (
	MessageRequest   = "request"   // the last of a request
	messageStatement = "statement" // below slog's debug level
	MessageListens   = "listening"
	MessageEnds      = "shutting down"
)

// Everything is the level that lets all records of the runtime through.
const Everything = slog.LevelDebug - 4

// readLine reads a record, if text is one.
func readLine(text string) Line {
	plain := Line{Text: text}
	dec := json.NewDecoder(strings.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return plain
	}
	l := Line{Record: true}
	var level string
	var attrs, below strings.Builder
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return plain
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return plain
		}
		into := map[any]any{
			slog.TimeKey: new(time.Time), slog.LevelKey: &level, slog.MessageKey: &l.Message, "request_id": &l.Request,
		}[key]
		if into == nil || json.Unmarshal(raw, into) != nil {
			writeAttr(&attrs, &below, fmt.Sprint(key), raw)
		}
	}
	if l.Level.UnmarshalText([]byte(level)) != nil {
		return plain
	}
	l.Text = fmt.Sprintf("%-5s %s%s%s", l.Level, event.Printable(l.Message), attrs.String(), below.String())
	if l.Message == messageStatement && l.Level == Everything {
		var s struct {
			Query  string
			Took   time.Duration
			Rows   int64
			Failed bool
		}
		if json.Unmarshal([]byte(text), &s) == nil {
			l.SQL = &event.Statement{Query: s.Query, Count: 1, Took: event.Milliseconds(s.Took), Rows: s.Rows, Failed: s.Failed}
		}
	}
	return l
}

// writeAttr adds an attribute to the line, or below it if it has several lines
// of its own.
func writeAttr(attrs, below *strings.Builder, key string, raw json.RawMessage) {
	value := string(raw)
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		value = text
		switch {
		case strings.Contains(strings.TrimSpace(text), "\n"):
			below.WriteString("\n    " + event.Printable(key) + ":\n      " + strings.ReplaceAll(event.Printable(strings.TrimSpace(text)), "\n", "\n      "))
			return
		case text == "" || strings.ContainsAny(text, " =\"") || text != event.Printable(text):
			value = strconv.Quote(text)
		}
	}
	var took time.Duration
	if key == "took" && json.Unmarshal(raw, &took) == nil {
		value = event.Duration(event.Milliseconds(took))
	}
	attrs.WriteString("  " + event.Printable(key) + "=" + value)
}
