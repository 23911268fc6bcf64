// Package traces follows requests and jobs through an application with
// OpenTelemetry: a span for each of them and for each of their statements, sent
// by OTLP over HTTP to where the standard variables OTEL_* say.
//
// Without an endpoint nothing is installed: no middleware, no callback, and so
// no cost.
//
// A request's span is named by its method and route, and belongs to the trace
// that its traceparent header names (W3C Trace Context). Log records that are
// made with its context have its trace_id. Handlers may add spans with Start,
// and pass the trace on with Transport. The values of statements, query strings
// and bodies are in no span. Probes and WebSocket connections have none.
//
// Reading order: config.go, traces.go (the module, spans of requests), statements.go,
// export.go.
//
// # Why an exporter of our own
//
// OpenTelemetry's SDK samples, batches and drops; only the last step, from its
// spans to bytes, is ours. Its exporter otlptracehttp links gRPC, which it
// shares its settings with: with it, otelgin and gorm's plugin the program of
// the preset guide grows by 15 % and takes 25 % more processor time to build
// after an edit, with this package 2.5 % and 7 %.
package traces
