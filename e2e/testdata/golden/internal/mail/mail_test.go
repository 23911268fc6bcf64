package mail

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"blog/internal/migrations"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/mail"
	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

// world is the module under test with a running queue and the directory of its mail.
type world struct {
	t      *testing.T
	db     *gorm.DB
	client *webtest.Client
	dir    string
}

func newWorld(t *testing.T, env string) world {
	t.Helper()
	gdb := webtest.DB(t, migrations.All())
	dir := filepath.Join(t.TempDir(), "mail")
	queue := jobs.New(gdb, slog.New(slog.DiscardHandler))
	client := webtest.NewWith(t, web.Config{Env: env}, jobs.Module(queue), Module(mail.Config{Env: env, URL: "file:" + dir}, queue))
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- queue.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return world{t, gdb, client, dir}
}

// mails waits for the first mail and returns all that were written.
func (w world) mails() []string {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		files, _ := filepath.Glob(filepath.Join(w.dir, "*.eml"))
		var mails []string
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				w.t.Fatal(err)
			}
			mails = append(mails, string(text))
		}
		if len(mails) > 0 {
			return mails
		}
	}
	w.t.Fatal("no mail was written")
	return nil
}

func TestWelcome(t *testing.T) {
	w := newWorld(t, "development")
	err := jobs.Enqueue(w.db, "mail.welcome", welcome{To: "ada@example.com", Username: "ada", Link: "https://example.com/begin"})
	if err != nil {
		t.Fatal(err)
	}
	mails := w.mails()
	for _, want := range []string{
		"To: <ada@example.com>", "Subject: Welcome, ada", "text/plain", "text/html", "Your account is ready", "https://example.com/begin",
	} {
		if !strings.Contains(mails[0], want) {
			t.Errorf("no %q in\n%s", want, mails[0])
		}
	}
	if list := string(w.client.Get("/dev/mail").Expect(200).Body()); !strings.Contains(list, "Welcome, ada") {
		t.Errorf("not listed: %s", list)
	}
}

func TestAMailThatCannotBeSentIsNotTriedAgain(t *testing.T) {
	w := newWorld(t, "test")
	if err := jobs.Enqueue(w.db, "mail.welcome", welcome{To: "nobody", Username: "ada"}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var state string
		if err := w.db.Table("jobs").Select("state").Take(&state).Error; err != nil {
			t.Fatal(err)
		}
		if state == "dead" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job is %s", state)
		}
	}
}

func TestMailIsShownInDevelopmentOnly(t *testing.T) {
	for env, status := range map[string]int{"development": 200, "test": 404, "production": 404} {
		gdb := webtest.DB(t, migrations.All())
		queue := jobs.New(gdb, slog.New(slog.DiscardHandler))
		cfg := mail.Config{Env: env, URL: "file:" + t.TempDir(), From: "blog@example.com"}
		webtest.NewWith(t, web.Config{Env: env}, Module(cfg, queue)).Get("/dev/mail").Expect(status)
	}
}
