package services_test

import (
	"bytes"
	"context"
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	goredis "github.com/redis/go-redis/v9"

	"github.com/nexios-go/nexios/e2e/services"
)

// Each server responds at its URL, and a second call returns the same one.
func TestServersRespond(t *testing.T) {
	pg := services.Postgres(t)
	if again := services.Postgres(t); again != pg {
		t.Errorf("a second PostgreSQL: %s and %s", pg, again)
	}
	pool, err := sql.Open("pgx", pg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec("CREATE TEMPORARY TABLE x (id int)"); err != nil {
		t.Error(err)
	}

	my, err := url.Parse(services.MySQL(t))
	if err != nil {
		t.Fatal(err)
	}
	pool, err = sql.Open("mysql", my.User.String()+"@tcp("+my.Host+")"+my.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec("CREATE DATABASE IF NOT EXISTS services_test"); err != nil {
		t.Error(err)
	}

	options, err := goredis.ParseURL(services.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

// A server is stopped, and its data removed, when the process that started it is killed.
func TestServersStopWithProcess(t *testing.T) {
	if os.Getenv("SERVICES_CHILD") != "" {
		server, err := services.StartRedis()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("at " + server.URL + "\n")
		select {} // until killed
	}
	tmp := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestServersStopWithProcess$")
	child.Env = append(os.Environ(), "SERVICES_CHILD=1", "TMPDIR="+tmp)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := bytes.Cut(line[:n], []byte("at "))
	options, err := goredis.ParseURL(strings.TrimSpace(string(address)))
	if err != nil {
		t.Fatalf("%q: %v", line[:n], err)
	}
	client := goredis.NewClient(options)
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for client.Ping(ctx).Err() == nil || !empty(t, tmp) {
		if ctx.Err() != nil {
			t.Fatal("the server or its data outlived its process")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func empty(t *testing.T, dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) == 0
}

// The command passes on the exit code of its child, and sets the servers' URLs.
func TestRun(t *testing.T) {
	cmd := exec.Command("go", "run", "./run", "--", "sh", "-c", `echo "$NEXIOS_TEST_REDIS"; exit 7`)
	cmd.Env = append(os.Environ(),
		services.PostgresVariable+"="+services.Postgres(t), services.MySQLVariable+"="+services.MySQL(t), services.RedisVariable+"="+services.Redis(t))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "exit status 7") {
		t.Errorf("exit code not passed: %v", err)
	}
	if !strings.Contains(string(out), services.Redis(t)) {
		t.Errorf("URL not passed: %s", out)
	}
}
