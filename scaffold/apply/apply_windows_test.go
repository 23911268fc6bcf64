package apply

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A file that another program has open for a moment is written and removed once it is
// closed.
func TestWaitForOpenFiles(t *testing.T) {
	dir := t.TempDir()
	project(t, dir)
	before := look(t, dir)
	hold := func(what string) {
		for step, name := range map[string]string{"rename main.go": "main.go", "remove internal/old/deep/old.go": "internal/old/deep/old.go"} {
			if what != step {
				continue
			}
			file, err := os.Open(filepath.Join(dir, name)) // opened without sharing of deletion
			if err != nil {
				continue // during undo: it does not exist
			}
			time.AfterFunc(patience/10, func() { file.Close() })
		}
	}
	if _, err := Apply(dir, posts(), Options{Step: hold}); err != nil {
		t.Fatal(err)
	}
	equal(t, "applied", look(t, dir), after)
	if _, err := Undo(dir, Options{Step: hold}); err != nil {
		t.Fatal(err)
	}
	equal(t, "undone", look(t, dir), before)
}
