// Package config reads the settings of a program from the environment, and in
// development from a .env file, into one struct.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// Load reads T.
func Load[T any](getenv func(string) string, files ...string) (T, error) {
	var c T
	values := map[string]string{}
	for _, file := range files {
		m, err := godotenv.Read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return c, err
		}
		for k, v := range m {
			values[k] = v
		}
	}
	params, err := env.GetFieldParams(&c)
	if err != nil {
		return c, err
	}
	for _, p := range params {
		if v := getenv(p.Key); v != "" {
			values[p.Key] = v
		}
	}
	err = env.ParseWithOptions(&c, env.Options{Environment: values})
	return c, err
}

// Help writes the table of settings of T with their defaults.
func Help[T any](w io.Writer) {
	var c T
	params, _ := env.GetFieldParams(&c)
	for _, p := range params {
		fmt.Fprintln(w, p.Key, p.DefaultValue)
	}
}
