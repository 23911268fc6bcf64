package services

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	_ "github.com/go-sql-driver/mysql" // to check whether MariaDB responds
	_ "github.com/jackc/pgx/v5/stdlib" // to check whether PostgreSQL responds
	goredis "github.com/redis/go-redis/v9"
)

// StartPostgres starts a PostgreSQL that stops with this process.
func StartPostgres() (*Server, error) {
	bin, err := findPostgres("initdb")
	if err != nil {
		return nil, err
	}
	s, err := newServer("postgres")
	if err != nil {
		return nil, err
	}
	// PostgreSQL refuses to run as root.
	if os.Geteuid() == 0 {
		if s.user, err = user.Lookup("postgres"); err != nil {
			return nil, fmt.Errorf("PostgreSQL does not run as root: %w\n  try:   useradd postgres", err)
		}
	}
	data := filepath.Join(s.dir, "data")
	s.URL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	return s, s.run(
		[]string{filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"},
		[]string{filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-k", s.dir,
			"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "shared_buffers=64MB",
			"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"},
		func(ctx context.Context) error { return pingSQL(ctx, "pgx", s.URL) },
	)
}

// StartStandby starts a streaming standby of a PostgreSQL from StartPostgres. It stops
// with this process.
func StartStandby(primary *Server) (*Server, error) {
	bin, err := findPostgres("postgres")
	if err != nil {
		return nil, err
	}
	copies, err := findPostgres("pg_basebackup")
	if err != nil {
		return nil, err
	}
	s, err := newServer("standby")
	if err != nil {
		return nil, err
	}
	s.user = primary.user
	data := filepath.Join(s.dir, "data")
	s.URL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	return s, s.run(
		[]string{filepath.Join(copies, "pg_basebackup"), "-h", "127.0.0.1", "-p", strconv.Itoa(primary.port), "-U", "postgres", "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync"},
		[]string{filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-k", s.dir,
			"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "shared_buffers=64MB", "-c", "fsync=off"},
		func(ctx context.Context) error { return pingSQL(ctx, "pgx", s.URL) },
	)
}

// findPostgres returns the directory of a PostgreSQL program.
func findPostgres(program string) (string, error) {
	return find("postgresql", program, "/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin")
}

// StartMySQL starts a MariaDB that stops with this process.
func StartMySQL() (*Server, error) {
	bin, err := find("mariadb-server", "mariadb-install-db", "/usr/bin", "/opt/homebrew/bin", "/usr/local/bin")
	if err != nil {
		return nil, err
	}
	server, err := find("mariadb-server", "mariadbd", bin, "/usr/sbin", "/usr/libexec")
	if err != nil {
		return nil, err
	}
	s, err := newServer("mariadb")
	if err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	setup := filepath.Join(s.dir, "setup.sql")
	err = os.WriteFile(setup, []byte(`CREATE DATABASE IF NOT EXISTS nexios CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'nexios'@'%' IDENTIFIED BY 'nexios';
GRANT ALL ON *.* TO 'nexios'@'%' WITH GRANT OPTION;
`), 0o600)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(s.dir, "data")
	address := fmt.Sprintf("127.0.0.1:%d", s.port)
	s.URL = "mysql://nexios:nexios@" + address + "/nexios"
	return s, s.run(
		[]string{filepath.Join(bin, "mariadb-install-db"), "--no-defaults", "--datadir=" + data, "--user=" + me.Username,
			"--auth-root-authentication-method=normal", "--skip-test-db"},
		[]string{filepath.Join(server, "mariadbd"), "--no-defaults", "--datadir=" + data, "--user=" + me.Username,
			"--port=" + strconv.Itoa(s.port), "--socket=" + filepath.Join(s.dir, "sock"), "--bind-address=127.0.0.1",
			"--tmpdir=" + s.dir, // a starting server deletes the temporary tables that it finds there
			"--skip-name-resolve", "--init-file=" + setup, "--max-connections=300", "--innodb-buffer-pool-size=64M",
			"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-binlog=0"},
		func(ctx context.Context) error { return pingSQL(ctx, "mysql", "nexios:nexios@tcp("+address+")/nexios") },
	)
}

// StartRedis starts a Redis that stops with this process.
func StartRedis() (*Server, error) {
	bin, err := find("redis-server", "redis-server", "/usr/bin", "/opt/homebrew/bin", "/usr/local/bin")
	if err != nil {
		return nil, err
	}
	s, err := newServer("redis")
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.port)
	s.URL = "redis://" + address + "/0"
	return s, s.run(nil,
		[]string{filepath.Join(bin, "redis-server"), "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1",
			"--unixsocket", filepath.Join(s.dir, "sock"), "--save", "", "--appendonly", "no", "--dir", s.dir},
		func(ctx context.Context) error {
			client := goredis.NewClient(&goredis.Options{Addr: address})
			defer client.Close()
			return client.Ping(ctx).Err()
		},
	)
}

func pingSQL(ctx context.Context, driver, dsn string) error {
	pool, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	return pool.PingContext(ctx)
}

// freePort returns a loopback port that is currently free.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
