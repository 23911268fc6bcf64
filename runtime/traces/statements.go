package traces

import (
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"gorm.io/gorm"
)

// statements is the GORM plugin that creates a span for each statement of a traced
// request or job.
type statements struct{ trace.Tracer }

// Name implements gorm.Plugin.
func (statements) Name() string { return "traces" }

// startKey is the key of a statement's start time.
const startKey = "traces:begun"

// Initialize implements gorm.Plugin.
func (s statements) Initialize(gdb *gorm.DB) error {
	of := gdb.Callback()
	return errors.Join(
		of.Create().Before("*").Register("traces:begin", begin), of.Create().After("*").Register("traces:end", s.end),
		of.Query().Before("*").Register("traces:begin", begin), of.Query().After("*").Register("traces:end", s.end),
		of.Update().Before("*").Register("traces:begin", begin), of.Update().After("*").Register("traces:end", s.end),
		of.Delete().Before("*").Register("traces:begin", begin), of.Delete().After("*").Register("traces:end", s.end),
		of.Row().Before("*").Register("traces:begin", begin), of.Row().After("*").Register("traces:end", s.end),
		of.Raw().Before("*").Register("traces:begin", begin), of.Raw().After("*").Register("traces:end", s.end),
	)
}

func begin(tx *gorm.DB) {
	if trace.SpanFromContext(tx.Statement.Context).IsRecording() {
		tx.InstanceSet(startKey, time.Now())
	}
}

// end creates the span. Its text is the prepared statement, with placeholders for
// values.
func (s statements) end(tx *gorm.DB) {
	start, ok := tx.InstanceGet(startKey)
	text := tx.Statement.SQL.String()
	if !ok || text == "" {
		return
	}
	operation, _, _ := strings.Cut(text, " ")
	operation = strings.ToUpper(operation)
	_, span := s.Start(tx.Statement.Context, strings.TrimSpace(operation+" "+tx.Statement.Table), trace.WithTimestamp(start.(time.Time)),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("db.system.name", systems[tx.Name()]),
			attribute.String("db.operation.name", operation),
			attribute.String("db.collection.name", tx.Statement.Table),
			attribute.String("db.query.text", text),
			attribute.Int64("db.response.returned_rows", tx.RowsAffected),
		))
	if tx.Error != nil && !errors.Is(tx.Error, gorm.ErrRecordNotFound) {
		span.SetStatus(codes.Error, "") // the error message may contain values
	}
	span.End()
}

// systems maps GORM's names of databases to OpenTelemetry's.
var systems = map[string]string{"sqlite": "sqlite", "postgres": "postgresql", "mysql": "mysql"}
