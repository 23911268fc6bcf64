package app

import (
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/files"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/redis"
	"github.com/nexios-go/nexios/runtime/traces"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

// Config holds all settings of the program. They are read from the environment
// and, in development, from the file .env; --help lists them.
type Config struct {
	web.Config
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/blog.db" doc:"sqlite:FILE, postgres://... or mysql://..."`
	Database    db.Config
	Mail        mail.Config
	Auth        auth.Config
	Files       files.Config
	Redis       redis.Config
	Chat        ws.Config
	Echo        ws.Config
	Traces      traces.Config
}

// Validate checks the program's own settings; each package checks its own.
func (c Config) Validate() error { return db.Check(c.DatabaseURL) }
