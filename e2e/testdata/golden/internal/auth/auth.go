// Package auth serves the routes that authenticate users, on top of the runtime's
// package auth.
package auth

import (
	"log/slog"
	"slices"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
)

type handler struct {
	auth   *auth.Service
	outbox outbox
}

// Module returns the routes of logins and sessions, and the middleware that
// identifies the caller for the guards of every module.
func Module(cfg auth.Config, sender mail.Config, gdb *gorm.DB, queue *jobs.Queue, log *slog.Logger) web.Module {
	service, err := auth.New(cfg, gdb, log)
	if err != nil {
		return web.Module{Name: "auth", Err: err}
	}
	outbox, err := newOutbox(sender)
	if err != nil {
		return web.Module{Name: "auth", Err: err}
	}
	h := handler{auth: service, outbox: outbox}
	service.Notify(notify)
	jobs.Handle(queue, noticeJob, h.sendNotice)
	jobs.Handle(queue, resetJob, h.sendReset)
	service.OfferUndo(offerUndo)
	jobs.Handle(queue, undoJob, h.sendUndo)
	service.HoldEmails(askToConfirm)
	jobs.Handle(queue, confirmJob, h.sendConfirmation)
	return web.Module{
		Name:     "auth",
		Doc:      "Login, tokens and sessions.",
		Use:      []gin.HandlerFunc{service.Middleware()},
		Run:      service.Run,
		Commands: []command.Command{h.removeFactors()},
		Routes: slices.Concat(
			h.loginRoutes(cfg.Refresh),
			h.sessionRoutes(),
			h.totpRoutes(),
			h.keyRoutes(),
			h.resetRoutes(gdb),
			h.confirmRoutes(gdb),
		),
	}.With(auth.NoStore)
}
