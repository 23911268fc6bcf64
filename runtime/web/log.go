package web

import (
	"io"
	"log/slog"
)

// NewLogger writes to w as the settings say: records from c.LogLevel on, as
// text in development and as JSON elsewhere unless c.LogFormat names one.
func NewLogger(c Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" || c.LogFormat == "" && c.Env == Development {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
