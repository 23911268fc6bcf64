package auth

import (
	"log/slog"
	"testing"

	"gorm.io/gorm"

	"blog/internal/migrations"
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/authtest"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

const password = "Correct-Horse-7"

// world is the module under test with one user, alice.
type world struct {
	db  *gorm.DB
	api *webtest.Client
	dir string // where mail is written
}

func start(t *testing.T, cfg auth.Config) world {
	t.Helper()
	w := world{db: webtest.DB(t, migrations.All()), dir: t.TempDir()}
	authtest.Sign(t, w.db, authtest.Account{Username: "alice", Password: password})
	log := slog.New(slog.DiscardHandler)
	queue := jobs.New(w.db, log)
	module := Module(cfg, mail.Config{Env: "test", URL: "file:" + w.dir}, w.db, queue, log)
	w.api = webtest.New(t, module.Under("/api/v1"), web.Module{Name: "whoami", Routes: []web.Route{
		web.Get("/whoami", whoami).Guard(auth.User()),
	}})
	work(t, queue)
	return w
}
