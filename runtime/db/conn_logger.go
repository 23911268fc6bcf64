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

// slow is the duration from which a statement is logged as slow.
const slow = 500 * time.Millisecond

// LevelStatement is the level at which every statement is logged, without its
// values: LOG_LEVEL=debug-4. `nexios dev` uses it to show the statements of each
// request.
const LevelStatement = slog.LevelDebug - 4

// logger logs slow statements, all statements with their values in debug mode, and
// all statements without their values at LevelStatement. It does not log errors:
// the caller does.
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

// Trace implements gorm's logger.Interface. GORM calls it after every statement.
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

// ParamsFilter keeps values out of the log unless debugging: they may be secrets or
// personal data.
func (l logger) ParamsFilter(_ context.Context, query string, values ...any) (string, []any) {
	if l.debug {
		return query, values
	}
	return query, nil
}

// bare returns a statement with ? in place of every value, including literals in
// its text: GORM does not call ParamsFilter for Scan. GORM writes PostgreSQL's
// placeholder $1 as $1$.
func (l logger) bare(query string) string { return l.values.ReplaceAllString(query, "?") }
