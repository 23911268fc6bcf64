package app

import (
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

// Config holds all settings of the program. They are read from the environment
// and, in development, from the file .env; --help lists them.
type Config struct {
	web.Config
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/{project}.db" doc:"sqlite:FILE, postgres://... or mysql://..."`
	Database    db.Config
}

// Validate checks the program's own settings; each package checks its own.
func (c Config) Validate() error { return db.Check(c.DatabaseURL) }
