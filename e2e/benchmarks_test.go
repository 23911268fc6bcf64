package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/e2e/services"
)

// TestBenchmarks runs every benchmark once, to detect broken ones early.
func TestBenchmarks(t *testing.T) {
	if testing.Short() {
		t.Skip("links the tests of several packages")
	}
	t.Parallel()
	var packages []string
	for _, below := range []string{"runtime", "scaffold", "cmd", "templates"} {
		err := filepath.WalkDir(filepath.Join("..", below), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if dir := "./" + strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../"); bytes.Contains(text, []byte("\nfunc Benchmark")) && !slices.Contains(packages, dir) {
				packages = append(packages, dir)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(packages) < 5 {
		t.Fatalf("benchmarks in %v only", packages)
	}
	cmd := exec.Command("go", append([]string{"test", "-run=^$", "-bench=.", "-benchtime=1x", "-short"}, packages...)...)
	cmd.Dir = ".."
	// -short makes them small, and starts no servers.
	cmd.Env = append(os.Environ(), "WS_BENCH_WINDOWS=1", services.RedisVariable+"="+services.Redis(t),
		services.PostgresVariable+"="+services.Postgres(t), services.MySQLVariable+"="+services.MySQL(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
