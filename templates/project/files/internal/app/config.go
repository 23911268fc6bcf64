package app

import (
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/web"
)

// Config is every setting of the program. Each comes from the environment or,
// in development, from the file .env; --help lists them.
type Config struct {
	web.Config
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/{project}.db" doc:"sqlite:FILE, postgres://... or mysql://..."`
	Database    db.Config
}

// Validate says what is wrong with the settings that are the program's own;
// those of packages are checked there.
func (c Config) Validate() error { return db.Check(c.DatabaseURL) }
