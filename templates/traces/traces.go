// Package traces adds OpenTelemetry to a project: spans of requests, statements
// and jobs. All of it is the runtime's; a project gets one line.
package traces

import (
	"embed"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Feature returns how traces are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "traces",
		Summary:  "OpenTelemetry traces of requests, SQL and jobs",
		Example:  "traces",
		Packages: []string{"traces"},
		Files:    embed.FS{}, // none
		Edits:    edits,
	}
}

const (
	modules = "internal/app/modules.go"
	config  = "internal/app/config.go"
	example = ".env.example"
	runtime = "github.com/nexios-go/nexios/runtime/traces"
)

func edits(p spec.Project, _ spec.Feature) []edit.Edit {
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: runtime},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: "traces.Module(cfg.Traces, gdb, log)"},
		{Path: config, Op: edit.AddImport, Text: runtime},
		{Path: config, Op: edit.AddField, In: "Config", Text: "Traces traces.Config"},
		{Path: example, Op: edit.AddLine, Text: "OTEL_EXPORTER_OTLP_ENDPOINT="},
		{Path: example, Op: edit.AddLine, Text: "OTEL_SERVICE_NAME=" + p.Name},
	}
}
