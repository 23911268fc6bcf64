package app

import "github.com/nexios-go/nexios/runtime/web"

// Config is every setting of the program. Each comes from the environment or,
// in development, from the file .env; --help lists them.
type Config struct {
	web.Config
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/{project}.db" doc:"sqlite:FILE, postgres://... or mysql://..."`
}
