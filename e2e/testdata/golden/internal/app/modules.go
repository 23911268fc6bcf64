package app

import (
	"log/slog"

	"gorm.io/gorm"

	"blog/internal/auth"
	"blog/internal/chat"
	"blog/internal/echo"
	"blog/internal/mail"
	"blog/internal/pages"
	"blog/internal/posts"
	"blog/internal/sessions"
	"blog/internal/tour"
	"blog/internal/uploads"
	"blog/internal/users"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/redis"
	"github.com/nexios-go/nexios/runtime/traces"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/web/metrics"
)

// api is the path under which the JSON API is mounted.
const api = "/api/v1"

// modules returns the application's modules, one per line. Middleware runs and
// routes are listed in this order.
func modules(cfg Config, gdb *gorm.DB, log *slog.Logger) []web.Module {
	queue := jobs.New(gdb, log)
	return []web.Module{
		jobs.Module(queue),
		mail.Module(cfg.Mail, queue),
		auth.Module(cfg.Auth, cfg.Mail, gdb, queue, log).Under(api),
		users.Module(gdb).Under(api),
		sessions.Module(),
		uploads.Module(cfg.Files, gdb, queue).Under(api),
		redis.Module(cfg.Redis),
		chat.Module(cfg.Chat, log),
		echo.Module(cfg.Echo, log),
		pages.Module(cfg.Env),
		metrics.Module(cfg.MetricsAddr, nil),
		traces.Module(cfg.Traces, gdb, log),
		tour.Module(gdb),
		posts.Module(gdb).Under(api),
	}
}
