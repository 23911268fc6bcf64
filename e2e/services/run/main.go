// Run starts PostgreSQL, MariaDB and Redis once, runs a command that finds
// them in its environment, and ends with the command's exit code:
//
//	go run ./e2e/services/run -- go test ./...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/nexios-go/nexios/e2e/services"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return 2, errors.New("no command given\n  try:   go run ./e2e/services/run -- make test")
	}
	starts := []struct {
		variable string
		start    func() (*services.Server, error)
	}{
		{services.PostgresVariable, services.StartPostgres},
		{services.MySQLVariable, services.StartMySQL},
		{services.RedisVariable, services.StartRedis},
	}
	var g errgroup.Group
	env := make([]string, len(starts))
	for i, s := range starts {
		if os.Getenv(s.variable) != "" {
			continue
		}
		g.Go(func() error {
			server, err := s.start()
			if err == nil {
				env[i] = s.variable + "=" + server.URL
			}
			return err
		})
	}
	g.Go(func() error { // once here, before several tests look for it concurrently
		_, err := services.FindBrowser()
		return err
	})
	if err := g.Wait(); err != nil {
		return 1, err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	for _, e := range env {
		if e != "" {
			cmd.Env = append(cmd.Env, e)
		}
	}
	// Ctrl-C reaches the command too, which decides how to handle it. (Ignoring it here
	// would be inherited by the command.)
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
