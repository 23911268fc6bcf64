package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"gorm.io/gorm"
	gormlogger "gorm.io/gorm/logger"
)

// slow is how long a statement may take before it is reported.
const slow = 500 * time.Millisecond

// LevelStatement is the level at which every statement is logged, without its
// values: LOG_LEVEL=debug-4. `nexios dev` runs a program so, to show the
// statements of each request.
const LevelStatement = slog.LevelDebug - 4

// logger reports slow statements, in debug mode all of them with their values,
// and at LevelStatement all of them without. It is silent about errors: they
// are returned, and whoever answers for them logs them.
type logger struct {
	log    *slog.Logger
	debug  bool
	each   bool // LevelStatement is logged
	values *regexp.Regexp
}

func newLogger(log *slog.Logger, debug bool) logger {
	return logger{
		log, debug, log.Enabled(context.Background(), LevelStatement),
		regexp.MustCompile(`'(?:[^']|'')*'|\$\d+\$?|\b\d+(?:\.\d+)?\b`),
	}
}

func (l logger) LogMode(gormlogger.LogLevel) gormlogger.Interface { return l }

func (l logger) Info(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}

func (l logger) Warn(ctx context.Context, format string, args ...any) {
	l.log.WarnContext(ctx, fmt.Sprintf(format, args...))
}

func (l logger) Error(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, args...))
}

// Trace is called after every statement.
func (l logger) Trace(ctx context.Context, begin time.Time, statement func() (string, int64), err error) {
	took := time.Since(begin)
	if !l.debug && !l.each && took < slow {
		return
	}
	query, rows := statement()
	if l.debug {
		l.log.DebugContext(ctx, "sql", "query", query, "rows", rows, "took", took, "error", err)
	}
	query = l.bare(query)
	if l.each {
		l.log.Log(ctx, LevelStatement, "statement", "query", query, "rows", rows, "took", took, "failed", err != nil && !errors.Is(err, gorm.ErrRecordNotFound))
	}
	if took >= slow {
		l.log.WarnContext(ctx, "slow query", "query", query, "rows", rows, "took", took)
	}
}

// ParamsFilter keeps values out of the log unless debugging: they may be
// secrets or belong to a person.
func (l logger) ParamsFilter(_ context.Context, query string, values ...any) (string, []any) {
	if l.debug {
		return query, values
	}
	return query, nil
}

// bare is a statement with ? for every value, also for those that are in its
// text: GORM does not ask ParamsFilter about what Scan reads. The place of a
// value that PostgreSQL calls $1, GORM calls $1$.
func (l logger) bare(query string) string { return l.values.ReplaceAllString(query, "?") }
