// Package services starts private instances of PostgreSQL, MariaDB and Redis for tests: on
// free loopback ports, with data in a temporary directory and without syncing to disk. One
// instance of each serves a test process and stops with it, however it ends.
//
// NEXIOS_TEST_POSTGRES, NEXIOS_TEST_MYSQL and NEXIOS_TEST_REDIS name instances to use
// instead; the command in run/ sets them for many test processes.
//
// With go test -short nothing is started: tests that need a server or a browser are
// skipped, unless the environment names a running server.
package services

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Environment variables with the URLs of running instances.
const (
	PostgresVariable = "NEXIOS_TEST_POSTGRES"
	MySQLVariable    = "NEXIOS_TEST_MYSQL"
	RedisVariable    = "NEXIOS_TEST_REDIS"
)

// Postgres returns the URL of a PostgreSQL superuser:
// postgres://postgres@127.0.0.1:PORT/postgres?sslmode=disable. The database is shared:
// tests create their own one, or use unique names.
func Postgres(t testing.TB) string { t.Helper(); return shared(t, PostgresVariable, postgres) }

// MySQL returns the URL of a MariaDB user with all privileges:
// mysql://nexios:nexios@127.0.0.1:PORT/nexios. It is shared as with Postgres.
func MySQL(t testing.TB) string { t.Helper(); return shared(t, MySQLVariable, mysql) }

// Redis returns the URL of a Redis: redis://127.0.0.1:PORT/0. It is shared.
func Redis(t testing.TB) string { t.Helper(); return shared(t, RedisVariable, redis) }

// Browser returns the path of a Chromium or a Chrome.
func Browser(t testing.TB) string {
	t.Helper()
	skipShort(t, "a browser")
	path, err := FindBrowser()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// FindBrowser returns the path of a Chromium or a Chrome, installing it by apt-get if
// necessary and possible.
func FindBrowser() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	dir, err := find("chromium", "chromium")
	return filepath.Join(dir, "chromium"), err
}

// The instances of this process. They run until it ends.
var (
	postgres = sync.OnceValues(StartPostgres)
	mysql    = sync.OnceValues(StartMySQL)
	redis    = sync.OnceValues(StartRedis)
)

func shared(t testing.TB, variable string, start func() (*Server, error)) string {
	t.Helper()
	if url := os.Getenv(variable); url != "" {
		return url
	}
	skipShort(t, "a server: "+variable)
	server, err := start()
	if err != nil {
		t.Fatalf("%v\n  or:    set %s to the URL of a running instance", err, variable)
	}
	return server.URL
}

func skipShort(t testing.TB, needs string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs " + needs)
	}
}
