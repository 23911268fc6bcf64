// Package metrics adds Prometheus metrics and profiles. The code is in the runtime; a
// project gets one line.
package metrics

import (
	"slices"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/edit"
	"github.com/nexios-go/nexios/scaffold/spec"
	"github.com/nexios-go/nexios/templates/hook"
)

// Feature returns how metrics are added to a project.
func Feature() scaffold.Feature {
	return scaffold.Feature{
		Name:     "metrics",
		Summary:  "Prometheus metrics and pprof on a separate address",
		Example:  "metrics",
		Packages: []string{"metrics"},
		Edits:    edits,
	}
}

func edits(spec.Project, spec.Feature) []edit.Edit {
	return slices.Concat(
		hook.Module(hook.Runtime+"web/metrics", "metrics.Module(cfg.MetricsAddr, nil)"),
		hook.Example("METRICS_ADDR=127.0.0.1:9100"),
	)
}
