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

// Line is a line of the program's output.
type Line struct {
	Text    string // formatted for people; a stack trace has several lines
	Record  bool   // the line was JSON of log/slog; the fields below are set
	Level   slog.Level
	Message string
	Request string           // ID of its request, or ""
	SQL     *event.Statement // the logged statement, or nil
}

// Messages of the runtime's log records.
const (
	MessageRequest   = "request"   // the last record of a request
	messageStatement = "statement" // level LevelAll
	MessageListens   = "listening"
	MessageEnds      = "shutting down"
)

// LevelAll is the level that includes all records of the runtime.
const LevelAll = slog.LevelDebug - 4

// readLine parses a line, which may be a JSON log record.
func readLine(text string) Line {
	plain := Line{Text: text}
	dec := json.NewDecoder(strings.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return plain
	}
	l := Line{Record: true}
	var level string
	var attrs, multiline strings.Builder
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return plain
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return plain
		}
		target := map[any]any{
			slog.TimeKey: new(time.Time), slog.LevelKey: &level, slog.MessageKey: &l.Message, "request_id": &l.Request,
		}[key]
		if target == nil || json.Unmarshal(raw, target) != nil {
			writeAttr(&attrs, &multiline, fmt.Sprint(key), raw)
		}
	}
	if l.Level.UnmarshalText([]byte(level)) != nil {
		return plain
	}
	l.Text = fmt.Sprintf("%-5s %s%s%s", l.Level, event.Printable(l.Message), attrs.String(), multiline.String())
	if l.Message == messageStatement && l.Level == LevelAll {
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

// writeAttr formats an attribute in the line, or below it if its value has several
// lines.
func writeAttr(attrs, multiline *strings.Builder, key string, raw json.RawMessage) {
	value := string(raw)
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		value = text
		switch {
		case strings.Contains(strings.TrimSpace(text), "\n"):
			multiline.WriteString("\n    " + event.Printable(key) + ":\n      " + strings.ReplaceAll(event.Printable(strings.TrimSpace(text)), "\n", "\n      "))
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
