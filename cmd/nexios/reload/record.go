package reload

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// line is one line that the program wrote.
type line struct {
	text    string // as a person reads it; a stack makes it several lines
	record  bool   // it was one of log/slog's JSON handler; what follows is its
	level   slog.Level
	message string
	request string     // the id of the request that it belongs to, or ""
	sql     *Statement // that it tells of, or nil
}

// What the runtime of a program calls its records.
const (
	messageRequest   = "request"   // the last of a request
	messageStatement = "statement" // below slog's debug level
	messageListens   = "listening"
	messageEnds      = "shutting down"
)

// everything is the level that lets all records of the runtime through.
const everything = slog.LevelDebug - 4

// logSettings is what makes the program in dir write records of everything, for
// the page at /dev, and the level from which on a person wants to see them. A
// setting that the program would refuse stays as it is, for it to say so.
func logSettings(dir string, environ []string) (add []string, least slog.Level) {
	level, format := readSetting(dir, environ, "LOG_LEVEL"), readSetting(dir, environ, "LOG_FORMAT")
	if level != "" && least.UnmarshalText([]byte(level)) != nil || !slices.Contains([]string{"", "text", "json"}, format) ||
		readSetting(dir, environ, "APP_ENV") == "production" {
		return nil, least
	}
	return []string{"LOG_FORMAT=json", "LOG_LEVEL=" + everything.String()}, least
}

// readLine reads a record, if text is one.
func readLine(text string) line {
	plain := line{text: text}
	dec := json.NewDecoder(strings.NewReader(text))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return plain
	}
	l := line{record: true}
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
			slog.TimeKey: new(time.Time), slog.LevelKey: &level, slog.MessageKey: &l.message, "request_id": &l.request,
		}[key]
		if into == nil || json.Unmarshal(raw, into) != nil {
			writeAttr(&attrs, &below, fmt.Sprint(key), raw)
		}
	}
	if l.level.UnmarshalText([]byte(level)) != nil {
		return plain
	}
	l.text = fmt.Sprintf("%-5s %s%s%s", l.level, printable(l.message), attrs.String(), below.String())
	if l.message == messageStatement && l.level == everything {
		var s struct {
			Query  string
			Took   time.Duration
			Rows   int64
			Failed bool
		}
		if json.Unmarshal([]byte(text), &s) == nil {
			l.sql = &Statement{Query: s.Query, Count: 1, Took: ms(s.Took), Rows: s.Rows, Failed: s.Failed}
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
			below.WriteString("\n    " + printable(key) + ":\n      " + strings.ReplaceAll(printable(strings.TrimSpace(text)), "\n", "\n      "))
			return
		case text == "" || strings.ContainsAny(text, " =\"") || text != printable(text):
			value = strconv.Quote(text)
		}
	}
	var took time.Duration
	if key == "took" && json.Unmarshal(raw, &took) == nil {
		value = duration(ms(took))
	}
	attrs.WriteString("  " + printable(key) + "=" + value)
}

// printable is text without what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, text)
}

// cut is the beginning of text, of at most limit bytes and a mark.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "…"
}
