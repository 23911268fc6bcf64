package app

import (
	"log/slog"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/web"
)

// api is where the JSON API is mounted.
const api = "/api/v1"

// modules is the map of the application: one line a module. Middleware runs
// and routes are listed in this order.
func modules(cfg Config, gdb *gorm.DB, log *slog.Logger) []web.Module {
	return []web.Module{}
}
