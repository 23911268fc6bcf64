// Package config reads the settings of a program from its environment, and in
// development from a .env file, into a struct.
//
//	type Config struct {
//		web.Config                                  // embedded and nested structs are walked
//		DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/blog.db" doc:"where the data is"`
//	}
//
// The tags are those of github.com/caarlos0/env (env, envDefault, envSeparator,
// envPrefix), plus doc for Help. Custom types implement encoding.TextUnmarshaler. A
// struct with a method Validate() error is validated after parsing.
//
// Reading order: config.go (Load), setting.go (one field of the struct), validate.go,
// help.go.
package config
