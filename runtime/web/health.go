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

// health says that the process lives; it asks nothing else.
func (a *App) health(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, gin.H{"status": "ok"})
}

// ready says whether requests should be sent here: 503 while draining and
// while a module cannot work. Which one is told; why is only logged. A module
// that has no space to write to can still be read from, here as anywhere else:
// that is told as degraded.
func (a *App) ready(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	if a.draining.Load() {
		Fail(c, fault.Unavailable("Shutting down", 0))
		return
	}
	asked, _, _ := a.asks.Do(readyPath, func() (any, error) { return a.readiness(c.Request.Context()), nil })
	found := asked.(readiness)
	switch {
	case len(found.broken) > 0:
		f := fault.Unavailable("Not ready", 0)
		f.Details = found.broken
		Fail(c, f)
	case len(found.degraded) > 0:
		c.JSON(http.StatusOK, gin.H{"status": "degraded", "details": found.degraded})
	default:
		c.JSON(http.StatusOK, gin.H{"status": "ready"})
	}
}

// readiness is what the modules say of themselves.
type readiness struct{ broken, degraded []fault.Detail }

// readiness asks the modules. One at a time does, for all who want to know at that
// moment: probes are not limited, and modules ask databases and stores.
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
			found.broken = append(found.broken, fault.Detail{Field: m.Name, Rule: "ready", Message: sentence(m.Name, "is not ready")})
		}
	}
	if len(found.degraded) > 0 && len(found.broken) == 0 {
		a.Log.LogAttrs(ctx, slog.LevelError, "no space left", slog.Any("modules", found.degraded))
	}
	return found
}
