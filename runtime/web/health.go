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
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	f := fault.Unavailable("Not ready", 0)
	var degraded []fault.Detail
	for _, m := range a.Modules {
		if m.Ready == nil {
			continue
		}
		if err := m.Ready(ctx); err != nil {
			if fault.From(err).Status == http.StatusInsufficientStorage {
				degraded = append(degraded, fault.Detail{Field: m.Name, Rule: "space", Message: sentence(m.Name, "has no space left")})
				continue
			}
			a.Log.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("module", m.Name), slog.String("error", err.Error()))
			f.Details = append(f.Details, fault.Detail{Field: m.Name, Rule: "ready", Message: sentence(m.Name, "is not ready")})
		}
	}
	if len(f.Details) > 0 {
		Fail(c, f)
		return
	}
	if len(degraded) > 0 {
		a.Log.LogAttrs(ctx, slog.LevelError, "no space left", slog.Any("modules", degraded))
		c.JSON(http.StatusOK, gin.H{"status": "degraded", "details": degraded})
		return
	}
	c.JSON(http.StatusOK, gin.H{"status": "ready"})
}
