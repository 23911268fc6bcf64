package reload

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"

	"github.com/charmbracelet/x/ansi"
)

// runtimeDir holds a copy of the runtime for the projects of all tests: the build cache
// depends on its path.
var runtimeDir string

// newProject generates a project and returns its directory.
func newProject(t *testing.T, commands ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	nexios := filepath.Join(dir, "nexios")
	if runtime.GOOS == "windows" {
		nexios += ".exe"
	}
	run := func(dir, name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", filepath.Base(name), args, err, out)
		}
	}
	run("..", "go", "build", "-o", nexios, ".")
	run(dir, nexios, "new", "shop", "--no-git")
	dir = filepath.Join(dir, "shop")
	if runtimeDir == "" {
		if runtimeDir, err = os.MkdirTemp("", "nexios-reload-"); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(runtimeDir, os.DirFS(filepath.Join(dir, ".nexios"))); err != nil {
			t.Fatal(err)
		}
	}
	run(dir, "go", "mod", "edit", "-replace=github.com/nexios-go/nexios="+runtimeDir)
	for _, command := range commands {
		run(dir, nexios, strings.Fields(command)...)
	}
	return dir
}

// terminal records the output of a screen, and presses keys.
type terminal struct {
	t    *testing.T
	keys io.Writer

	mu   sync.Mutex
	text strings.Builder
}

func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.WriteString(ansi.Strip(string(p)))
}

// press presses a key and clears the recorded output.
func (s *terminal) press(key string) {
	s.t.Helper()
	s.mu.Lock()
	s.text.Reset()
	s.mu.Unlock()
	if _, err := io.WriteString(s.keys, key); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits for text in the output.
func (s *terminal) shows(text string) {
	s.t.Helper()
	s.until(text, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(s.text.String(), text)
	})
}

func (s *terminal) until(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("no %s in\n%s", what, s.text.String())
		}
	}
}

// In production a program does not migrate on its own: the screen reports pending
// migrations, and the key m applies them.
func TestPendingMigrations(t *testing.T) {
	dir := newProject(t, "add model tag name:string")
	settings := "APP_ENV=production\nDATABASE_URL=sqlite:data/shop.db\n"
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	in, keys := io.Pipe()
	screen := &terminal{t: t, keys: keys}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Dir: dir, Host: "127.0.0.1", Port: port, Show: ShowScreen, Stdin: in, Stdout: screen})
	}()
	defer func() {
		cancel()
		keys.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	screen.shows("version 1 runs")
	ready := func() int {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", port))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	screen.shows("pending migrations: 1; press m")
	if status := ready(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz before migrating: %d", status)
	}
	screen.press(keyMigrate)
	screen.shows("the database is up to date")
	if status := ready(); status != http.StatusOK {
		t.Errorf("/readyz after migrating: %d", status)
	}
}

// A migration that fails at startup is reported, and the previous version keeps
// serving.
func TestBrokenMigration(t *testing.T) {
	dir := newProject(t, "add model tag name:string")
	d := startDev(t, nil, func(o *Options) { o.Dir = dir })
	d.dir = dir
	if a := d.get("/readyz"); a.status != http.StatusOK {
		t.Fatalf("got %+v", a)
	}
	if d.count(event.KindNote) > 0 {
		t.Error("unexpected note: migrations should have run on their own")
	}
	list, err := filepath.Glob(filepath.Join(dir, "internal", "migrations", "*_create_tags.go"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "internal", "migrations", "migrations.go"))
	if err != nil {
		t.Fatal(err)
	}
	fails := strings.Replace(string(text), "createTags(),", "createTags(),\n\t\t{ID: \"29990101000000_add_note\", Up: func(tx *gorm.DB) error { return tx.Exec(\"ALTER TABLE nothing ADD note TEXT\").Error }},", 1)
	if fails == string(text) {
		t.Fatalf("createTags() not found in\n%s", text)
	}
	fails = strings.Replace(fails, "import (", "import (\n\t\"gorm.io/gorm\"", 1)
	d.write("internal/migrations/migrations.go", fails)
	e := d.wait(event.KindFailed, event.KindBuilt)
	if e.Kind != event.KindFailed || e.Build.Stage != event.StageStart || !strings.Contains(e.Build.Output, "migration 29990101000000_add_note") ||
		!strings.Contains(e.Build.Output, "nothing") || !strings.Contains(e.Text, "version 1 keeps serving") {
		t.Errorf("got %s", describe(e))
	}
	if a := d.get("/readyz"); a.status != http.StatusOK || a.header.Get(proxy.BuildHeader) != "failed" {
		t.Errorf("got %+v", a)
	}
	d.write("internal/migrations/migrations.go", string(text))
	d.wait(event.KindBuilt)
	if a := d.get("/readyz"); a.status != http.StatusOK || a.header.Get(proxy.BuildHeader) != "" {
		t.Errorf("got %+v", a)
	}
}

// A command that is undone after its migration ran leaves a table behind. That is
// reported after the undo, and when the table prevents the same command.
func TestUnknownMigrations(t *testing.T) {
	dir := newProject(t, "add model tag name:string")
	d := startDev(t, nil, func(o *Options) { o.Dir = dir })
	nexios := func(args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(filepath.Dir(dir), "nexios"), args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("nexios %v: %v\n%s", args, err, out)
		}
	}
	expectNote := func() {
		t.Helper()
		if text := d.wait(event.KindNote).Text; !strings.HasPrefix(text, "applied, but no longer in the program: ") || !strings.Contains(text, "_create_tags\n  ") {
			t.Errorf("unexpected note: %s", text)
		}
	}
	nexios("undo", "--yes")
	d.wait(event.KindBuilt)
	expectNote()
	d.mu.Lock()
	for _, e := range d.all {
		if e.Kind == event.KindLog {
			t.Errorf("internal log line shown: %s", e.Text)
		}
	}
	d.mu.Unlock()
	nexios("add", "model", "tag", "name:string")
	if e := d.wait(event.KindFailed, event.KindBuilt); e.Kind != event.KindFailed || !strings.Contains(e.Build.Output, "already exists") {
		t.Errorf("got %s", describe(e))
	}
	expectNote()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
