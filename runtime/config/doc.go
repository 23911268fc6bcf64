// Package config reads the settings of a program from its environment, and in
// development from a .env file, into one struct.
//
//	type Config struct {
//		web.Config                                  // embedded and nested structs are walked
//		DatabaseURL string `env:"DATABASE_URL" envDefault:"sqlite:data/blog.db" doc:"where the data is"`
//	}
//
// The tags are those of github.com/caarlos0/env (env, envDefault,
// envSeparator, envPrefix), and doc for Help. A type of its own reads itself
// by encoding.TextUnmarshaler, and a struct that has Validate() error is asked
// whether its values make sense.
//
// Reading order: config.go (Load), setting.go (one field of the struct), validate.go,
// help.go.
package config
