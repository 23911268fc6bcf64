package reload

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

// watched returns a watcher of dir and a function that waits until it reports a file.
func watched(t *testing.T, dir string, poll, fallbackPoll time.Duration) (*watcher, func(path string)) {
	t.Helper()
	w, err := newWatcher(dir, poll, fallbackPoll)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w, func(path string) {
		t.Helper()
		deadline := time.After(patience)
		for {
			select {
			case got := <-w.paths:
				switch got {
				case path:
					return
				case filepath.Join(dir, "data", "x"):
					t.Error("an ignored file was reported")
				}
			case <-deadline:
				t.Fatalf("%s was not reported", path)
			}
		}
	}
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Polling reports files that are written, created or removed, also in needed
// directories outside the project.
func TestPoll(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	put(t, filepath.Join(dir, ".gitignore"), "data/\n")
	a, far := put(t, filepath.Join(dir, "a.go"), "a"), put(t, filepath.Join(outside, "far.go"), "a")
	w, reported := watched(t, dir, 10*time.Millisecond, time.Hour)
	if err := w.need([]string{outside}); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "data", "x"), "x")
	put(t, a, "more")
	reported(a)
	put(t, far, "more")
	reported(far)
	reported(put(t, filepath.Join(dir, "sub", "b.go"), "b"))
	if err := os.RemoveAll(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	reported(filepath.Join(dir, "sub", "b.go"))
}

// A file system that does not report a change is detected, and polled from then on.
// While it reports all changes, it is trusted.
func TestSilentFileSystem(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs inotify, which does not report writes through another hard link")
	}
	dir, links := t.TempDir(), t.TempDir()
	a, b := put(t, filepath.Join(dir, "a.go"), "a"), put(t, filepath.Join(dir, "b.go"), "b")
	link := filepath.Join(links, "a.go")
	if err := os.Link(a, link); err != nil {
		t.Skip("the file system has no hard links:", err)
	}
	w, reported := watched(t, dir, 0, 500*time.Millisecond)
	put(t, b, "more")
	reported(b)
	put(t, link, "more")
	reported(a)
	if path := <-w.silent; path != a {
		t.Errorf("reported as silent: %s", path)
	}
	put(t, link, "still more")
	reported(a)
}

// Directories that the program needs are known after a build. Files that were ignored
// there until then have not changed.
func TestNeededFilesAreNotChanges(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	put(t, filepath.Join(dir, ".gitignore"), "*.log\n")
	put(t, filepath.Join(dir, "a.log"), "a")
	put(t, filepath.Join(dir, "nexios.json"), "{}")
	put(t, filepath.Join(outside, "far.go"), "a")
	w, _ := watched(t, dir, time.Hour, time.Hour)
	was, err := w.scan()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.need([]string{dir, outside}); err != nil {
		t.Fatal(err)
	}
	fresh := put(t, filepath.Join(dir, "b.go"), "b")
	is, err := w.scan()
	if err != nil {
		t.Fatal(err)
	}
	if changed := w.changed(was, is, true); len(changed) != 1 || changed[0] != fresh {
		t.Errorf("changed: %q", changed)
	}
}

// A project is rebuilt with polling.
func TestPollRebuilds(t *testing.T) {
	t.Parallel()
	d := startDev(t, sample(), func(o *Options) { o.Poll = LeastPoll })
	d.write("part/part.go", part("two"))
	d.wait(event.KindBuilt)
	d.expect("two", true)
	d.remove("part/part.go")
	d.wait(event.KindFailed)
	d.write("part/other.go", part("three"))
	d.wait(event.KindBuilt)
	d.expect("three", true)
}
