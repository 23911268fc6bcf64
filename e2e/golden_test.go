package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is the guide project as generated, to show the effect of template changes on
// users. It excludes the copy of the runtime, and the secret.
const golden = "testdata/golden"

// guide creates the guide project with the timestamp of the golden one.
func guide(t testing.TB) project {
	t.Helper()
	return project{t: t, env: []string{"SOURCE_DATE_EPOCH=1767225600"}}.new("blog", "--preset", "guide") // 2026-01-01
}

func TestGolden(t *testing.T) {
	t.Parallel()
	p := guide(t)
	got := map[string]string{}
	for name, text := range p.tree() {
		if !strings.HasPrefix(name, ".nexios/") && name != ".env" {
			got[name] = text
		}
	}
	if *update {
		if err := os.RemoveAll(golden); err != nil {
			t.Fatal(err)
		}
		for name, text := range got {
			target := filepath.Join(golden, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(target, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	sameTree(t, project{t: t, dir: golden}.tree(), got)
	if t.Failed() {
		t.Log("read the difference after: make golden && git diff e2e/testdata/golden")
	}
}

// TestGuidePasses builds, lints and tests the guide as a developer would.
func TestGuidePasses(t *testing.T) {
	t.Parallel()
	p := guide(t)
	p.clean()
	p.run("go", "test", "-race", "./...")
	for _, system := range []string{"windows", "darwin"} {
		other := p
		other.env = []string{"GOOS=" + system, "CGO_ENABLED=0"}
		other.run("go", "vet", "./...")
	}
}
