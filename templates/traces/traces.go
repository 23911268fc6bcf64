// Package traces adds OpenTelemetry: spans of requests, statements and jobs. The code
// is in the runtime; a project gets one line.
package traces

import (
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// Feature returns how traces are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "traces",
		Summary:  "OpenTelemetry traces of requests, SQL and jobs",
		Example:  "traces",
		Packages: []string{"traces"},
		Edits:    edits,
	}
}

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Module(hook.Runtime+"traces", "traces.Module(cfg.Traces, gdb, log)"),
		hook.Config(hook.Runtime+"traces", "Traces traces.Config"),
		hook.Example("OTEL_EXPORTER_OTLP_ENDPOINT=", "OTEL_SERVICE_NAME="+p.Name),
	)
}
