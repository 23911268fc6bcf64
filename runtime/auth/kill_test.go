package auth

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/db"
)

// databaseVariable is the environment variable with the database on which the child
// process rotates until it is killed.
const databaseVariable = "AUTH_TEST_KILLED_DATABASE"

func TestMain(m *testing.M) {
	if url := os.Getenv(databaseVariable); url != "" {
		rotateForever(url)
	}
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// rotateForever prints each refresh token before using it.
func rotateForever(url string) {
	fatal := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	gdb, err := db.Open(url, db.Options{})
	fatal(err)
	s, err := New(testConfig(), gdb, slog.New(slog.DiscardHandler))
	fatal(err)
	ctx := context.Background()
	g, err := s.OpenSession(ctx, here, 1)
	fatal(err)
	for {
		fmt.Println(g.RefreshToken)
		g, err = s.Refresh(ctx, g.RefreshToken)
		fatal(err)
	}
}

// TestKilledDuringRotation kills a process that constantly rotates a token,
// then acts as its client: the last token it received is accepted, and has at most one
// valid successor.
func TestKilledDuringRotation(t *testing.T) {
	url := "sqlite:" + filepath.ToSlash(filepath.Join(t.TempDir(), "killed.db"))
	gdb, err := db.Open(url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(gdb) })
	if _, err := db.Migrate(t.Context(), gdb, append([]db.Migration{users()}, Migrations()...)); err != nil {
		t.Fatal(err)
	}
	w := &fixture{t: t, db: gdb, now: time.Now(), log: nil}
	if err := gdb.Create(&userRow{Username: "alice", Email: "a@example.com", PasswordHash: "none", Role: "user", IsActive: true}).Error; err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), databaseVariable+"="+url)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		last := ""
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			last = lines.Text()
			if n == 20+7*round {
				_ = child.Process.Kill() // SIGKILL; its output is still read
			}
		}
		_ = child.Wait()
		if last == "" {
			t.Fatal("the child did not rotate")
		}

		s, err := New(testConfig(), gdb, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Refresh(t.Context(), last)
		if err != nil {
			t.Fatalf("round %d: the client's last token: %v", round, err)
		}
		if _, err := s.Authenticate(t.Context(), g.AccessToken); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		if n := w.live(g.SessionID); n != 1 {
			t.Errorf("round %d: %d live successors, want 1", round, n)
		}
	}
}
