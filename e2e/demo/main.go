// Demo generates the guide project in a temporary folder and serves it with
// hot reload.
//
//	go run ./e2e/demo bin/nexios
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const password = "Demo-passw0rd"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) != 2 {
		return fmt.Errorf("which nexios?\n  try: make demo")
	}
	tool, err := filepath.Abs(os.Args[1])
	if err != nil {
		return err
	}
	parent, err := os.MkdirTemp("", "nexios-demo-")
	if err != nil {
		return err
	}
	dir := filepath.Join(parent, "blog")
	if err := say(ctx, parent, "", tool, "new", "blog", "--preset", "guide"); err != nil {
		return err
	}
	if err := say(ctx, dir, "", "go", "run", ".", "migrate", "up"); err != nil {
		return err
	}
	if err := say(ctx, dir, password+"\n", "go", "run", ".", "user", "create", "--username", "demo", "--email", "demo@example.com", "--admin"); err != nil {
		return err
	}
	fmt.Println("\n$ nexios dev")
	dev := exec.CommandContext(ctx, tool, "dev", "--plain", "--port", "8000")
	dev.Dir, dev.Stdout, dev.Stderr = dir, os.Stdout, os.Stderr
	dev.Cancel = func() error { return dev.Process.Signal(os.Interrupt) }
	dev.WaitDelay = 15 * time.Second
	if err := dev.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- dev.Wait() }()
	if ready(ctx, ended) {
		welcome(dir)
	}
	err = <-ended
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ready waits until the app responds, or the dev server has exited.
func ready(ctx context.Context, ended chan error) bool {
	for {
		if answer, err := http.Get("http://127.0.0.1:8000/healthz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case err := <-ended:
			ended <- err
			return false
		case <-ctx.Done():
			return false
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func welcome(dir string) {
	fmt.Printf(`
  project   %s (edit it: it rebuilds)
  API       http://127.0.0.1:8000/api/v1
  docs      http://127.0.0.1:8000/docs
  home      http://127.0.0.1:8000/
  chat      http://127.0.0.1:8000/chat     (user demo, password %s)

  create a post and list all, in another terminal:

TOKEN=$(curl -s http://127.0.0.1:8000/api/v1/auth/login -H 'Content-Type: application/json' \
  -d '{"username":"demo","password":"%s"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s http://127.0.0.1:8000/api/v1/posts -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -d '{"title":"Hello","content":"World","published":true}'
curl -s http://127.0.0.1:8000/api/v1/posts -H "Authorization: Bearer $TOKEN"

  ctrl-c ends it

`, dir, password, password)
}

// say prints a command and runs it.
func say(ctx context.Context, dir, stdin, name string, args ...string) error {
	fmt.Printf("\n$ %s %s\n", strings.TrimSuffix(filepath.Base(name), ".exe"), strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, strings.NewReader(stdin), os.Stdout, os.Stderr
	return cmd.Run()
}
