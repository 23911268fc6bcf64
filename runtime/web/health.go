package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
)

const (
	healthPath   = "/healthz"
	readyPath    = "/readyz"
	readyTimeout = 3 * time.Second
)

// health reports that the process is alive. It checks nothing else.
func (a *App) health(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, gin.H{"status": "ok"})
}

// ready reports whether to route requests to this process: 503 while it is draining
// or a module is not ready. The response names the module; the reason is only logged.
// A module that is out of space can still serve reads, so it is reported as degraded.
func (a *App) ready(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	if a.draining.Load() {
		Fail(c, fault.Unavailable("Shutting down", 0))
		return
	}
	result, _, _ := a.readyChecks.Do(readyPath, func() (any, error) { return a.readiness(c.Request.Context()), nil })
	found := result.(readiness)
	switch {
	case len(found.notReady) > 0:
		f := fault.Unavailable("Not ready", 0)
		f.Details = found.notReady
		Fail(c, f)
	case len(found.degraded) > 0:
		c.JSON(http.StatusOK, gin.H{"status": "degraded", "details": found.degraded})
	default:
		c.JSON(http.StatusOK, gin.H{"status": "ready"})
	}
}

// readiness is the result of the modules' readiness checks.
type readiness struct{ notReady, degraded []fault.Detail }

// readiness checks the modules. Concurrent probes share one check: probes are not
// rate limited, and the checks query databases and other services.
func (a *App) readiness(ctx context.Context) (found readiness) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	for _, m := range a.Modules {
		if m.Ready == nil {
			continue
		}
		err := m.Ready(ctx)
		switch {
		case err == nil:
		case fault.From(err).Status == http.StatusInsufficientStorage:
			found.degraded = append(found.degraded, fault.Detail{Field: m.Name, Rule: "space", Message: sentence(m.Name, "has no space left")})
		default:
			a.Log.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("module", m.Name), slog.String("error", err.Error()))
			found.notReady = append(found.notReady, fault.Detail{Field: m.Name, Rule: "ready", Message: sentence(m.Name, "is not ready")})
		}
	}
	if len(found.degraded) > 0 && len(found.notReady) == 0 {
		a.Log.LogAttrs(ctx, slog.LevelError, "no space left", slog.Any("modules", found.degraded))
	}
	return found
}
