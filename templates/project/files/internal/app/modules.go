package app

import (
	"log/slog"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/web"
)

// api is the path under which the JSON API is mounted.
const api = "/api/v1"

// modules returns the application's modules, one per line. Middleware runs and
// routes are listed in this order.
func modules(cfg Config, gdb *gorm.DB, log *slog.Logger) []web.Module {
	return []web.Module{}
}
