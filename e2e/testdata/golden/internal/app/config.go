package app

import (
	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/files"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/ws"
)

// Config is every setting of the program. Each comes from the environment or,
// in development, from the file .env; --help lists them.
type Config struct {
	web.Config
	DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/blog.db" doc:"sqlite:FILE, postgres://... or mysql://..."`
	Mail        mail.Config
	Auth        auth.Config
	Files       files.Config
	Chat        ws.Config
	Echo        ws.Config
}
