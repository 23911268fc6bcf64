package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/project/files/internal/migrations"
)

// start runs the whole program with the given settings and arguments.
func start(t *testing.T, settings map[string]string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(t.Context(), command.IO{
		Args:   args,
		Getenv: func(name string) string { return settings[name] },
		Stdin:  strings.NewReader(""),
		Stdout: &out,
		Stderr: io.Discard,
	})
	return out.String(), err
}

// TestOpenAPI checks that every module can be mounted and described.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	out, err := start(t, map[string]string{"APP_ENV": "test", "DATABASE_URL": "sqlite::memory:"}, "openapi")
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ OpenAPI string }
	if err := json.Unmarshal([]byte(out), &document); err != nil || !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("not an OpenAPI 3.1 document: %v\n%.200s", err, out)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{"APP_ENV": "prod", "DATABASE_URL": "oracle://x", "ADDR": "nowhere", "RATE_LIMIT": "many"} {
		if _, err := start(t, map[string]string{name: bad}, "routes"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: got %v, want an error that names the setting", name, bad, err)
		}
	}
}

// TestMigrationsAreReversible rolls every migration back and applies it again.
func TestMigrationsAreReversible(t *testing.T) {
	t.Parallel()
	all := migrations.All()
	gdb := webtest.DB(t, all)
	if _, err := db.Rollback(t.Context(), gdb, all, len(all)); err != nil {
		t.Fatalf("down: %v", err)
	}
	if _, err := db.Migrate(t.Context(), gdb, all); err != nil {
		t.Fatalf("up again: %v", err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	gdb := webtest.DB(t, migrations.All())
	api := webtest.New(t, append(modules(Config{}, gdb, slog.New(slog.DiscardHandler)), database("test", gdb))...)
	api.Get("/healthz").Expect(200)
	api.Get("/readyz").Expect(200)
}
