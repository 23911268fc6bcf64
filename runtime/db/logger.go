package db

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	gormlogger "gorm.io/gorm/logger"
)

// slow is how long a statement may take before it is reported.
const slow = 500 * time.Millisecond

// logger reports slow statements, and in debug mode all of them. It is silent
// about errors: they are returned, and whoever answers for them logs them.
type logger struct {
	log   *slog.Logger
	debug bool
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
	switch {
	case l.debug:
		query, rows := statement()
		l.log.DebugContext(ctx, "sql", "query", query, "rows", rows, "took", took, "error", err)
	case took >= slow:
		query, rows := statement()
		l.log.WarnContext(ctx, "slow sql", "query", query, "rows", rows, "took", took)
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
