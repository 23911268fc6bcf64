// Package traces traces requests and jobs with OpenTelemetry: a span for each of them
// and for each of their database statements, exported by OTLP over HTTP as configured
// by the standard variables OTEL_*.
//
// Without an endpoint nothing is installed, neither middleware nor callbacks, so there
// is no cost.
//
// A request's span is named by its method and route, and belongs to the trace of its
// traceparent header (W3C Trace Context). Log records with its context have its
// trace_id. Handlers may add spans with Start, and propagate the trace with Transport.
// Spans do not contain values of statements, query strings or bodies. Probes and
// WebSocket connections have no spans.
//
// Reading order: config.go, traces.go (the module, spans of requests), statements.go,
// export.go.
//
// # Why not otlptracehttp
//
// OpenTelemetry's SDK samples, batches and drops spans; only the last step, from spans
// to bytes, is implemented here. Its exporter otlptracehttp links gRPC, with which it
// shares its settings: with it, otelgin and GORM's plugin the program of the preset
// guide grows by 15 % and takes 25 % more CPU time to build after an edit; with this
// package 2.5 % and 7 %.
package traces
