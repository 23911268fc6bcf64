package db_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/db"
)

// Statements are logged without values at LevelStatement, with them in debug mode,
// and otherwise not at all.
func TestStatementsAreLogged(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			url := address(t, name)
			for _, tt := range []struct {
				level slog.Level
				debug bool
				want  string // level, message, query
			}{
				{slog.LevelDebug, false, ""},
				{slog.LevelDebug, true, "DEBUG sql SELECT 'it''s hidden' = 'it''s hidden' OR 4711.5 > 8"},
				{db.LevelStatement, false, "DEBUG-4 statement SELECT ? = ? OR ? > ?"},
			} {
				var out bytes.Buffer
				log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: tt.level}))
				gdb, err := db.Open(url, db.Options{Log: log, Debug: tt.debug})
				must(t, err)
				out.Reset() // discard what GORM logs while it opens
				must(t, gdb.Raw("SELECT 'it''s hidden' = ? OR ? > 8", "it's hidden", 4711.5).Scan(new(bool)).Error)
				must(t, db.Close(gdb))
				if tt.want == "" {
					if out.Len() > 0 {
						t.Errorf("unexpected log line: %s", out.String())
					}
					continue
				}
				var r struct {
					Level, Msg, Query string
					Took              float64
				}
				must(t, json.Unmarshal(out.Bytes(), &r))
				if got := strings.Join([]string{r.Level, r.Msg, r.Query}, " "); got != tt.want || r.Took <= 0 {
					t.Errorf("got %s", out.String())
				}
			}
		})
	}
}

// Failed statements are marked in the log.
func TestFailedStatementsAreMarked(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		var out bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: db.LevelStatement}))
		gdb, err := db.Open(address(t, name), db.Options{Log: log})
		must(t, err)
		_ = gdb.Exec("DELETE FROM nowhere WHERE id = ?", 1).Error
		must(t, db.Close(gdb))
		if got := out.String(); !strings.Contains(got, `"query":"DELETE FROM nowhere WHERE id = ?"`) || !strings.Contains(got, `"failed":true`) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
