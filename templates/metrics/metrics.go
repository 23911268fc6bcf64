// Package metrics adds what watches a program: measurements for Prometheus and
// profiles. All of it is the runtime's; a project gets one line.
package metrics

import (
	"embed"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// Feature returns how metrics are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "metrics",
		Summary:  "Prometheus metrics and pprof on a separate address",
		Example:  "metrics",
		Packages: []string{"metrics"},
		Files:    embed.FS{}, // none
		Edits:    edits,
	}
}

func edits(spec.Project, spec.Feature) []edit.Edit {
	const modules = "internal/app/modules.go"
	return []edit.Edit{
		{Path: modules, Op: edit.AddImport, Text: "github.com/nexios-go/nexios/runtime/web/metrics"},
		{Path: modules, Op: edit.AddElement, In: "modules", Text: "metrics.Module(cfg.MetricsAddr, nil)"},
		{Path: ".env.example", Op: edit.AddLine, Text: "METRICS_ADDR=127.0.0.1:9100"},
	}
}
