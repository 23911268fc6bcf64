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

// Config is every setting of the program. Each comes from the environment or,
// in development, from the file .env; --help lists them.
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

// Validate says what is wrong with the settings that are the program's own;
// those of packages are checked there.
func (c Config) Validate() error { return db.Check(c.DatabaseURL) }
