package apply

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/plan"
)

// A journal that came with the project or from another folder is rejected, whatever it
// contains, and nothing is written.
func TestForeignJournals(t *testing.T) {
	step, err := json.Marshal(entry{Title: "hello", Changes: []change{{Path: "main.go", Before: []byte("package evil\n"), After: []byte("package main\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := json.Marshal(signed{make([]byte, 32), step})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	project(t, elsewhere)
	if _, err := Apply(elsewhere, posts(), Options{Title: "add posts"}); err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(elsewhere, UndoDir, "0001.json"))
	if err != nil {
		t.Fatal(err)
	}
	altered := strings.Replace(string(own), `"title":"add posts"`, `"title":"add pests"`, 1)
	for name, text := range map[string]string{
		"unsigned":                  string(step),
		"with a guessed signature":  string(wrapped),
		"of this user, but altered": altered,
		"of another folder":         string(own),
		"no JSON":                   "{",
		"empty":                     "",
	} {
		for _, s := range []state{done, opened, reverting} {
			t.Run(name+string(s), func(t *testing.T) {
				dir := t.TempDir()
				project(t, dir)
				before := look(t, dir)
				write(t, dir, UndoDir+"/0001"+string(s), text)
				if s == done {
					_, err = Undo(dir, Options{})
				} else {
					_, err = Recover(dir)
				}
				if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "0001"+string(s)) {
					t.Errorf("got %v", err)
				}
				equal(t, "left alone", look(t, dir), before)
			})
		}
	}
	// The signature covers the number of the step.
	if err := os.Rename(filepath.Join(elsewhere, UndoDir, "0001.json"), filepath.Join(elsewhere, UndoDir, "0002.undo.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(elsewhere); !errors.Is(err, ErrForeign) {
		t.Errorf("renumbered: %v", err)
	}
}

// Commands can only read regular files inside of the project, whose texts must not change
// before they write.
func TestFiles(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	project(t, dir)
	write(t, outside, "secret", "s3cret")
	for link, target := range map[string]string{"out": filepath.Join(outside, "secret"), "away": outside, "up": "../" + filepath.Base(outside) + "/secret"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	p, _, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, name := range []string{"out", "up", "away/secret", "internal", "../" + filepath.Base(outside) + "/secret"} {
		if text, err := fs.ReadFile(p.Files(), name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("read %s: %q, %v", name, text, err)
		}
	}
	for _, name := range []string{"main.go", "none"} {
		_, _ = fs.ReadFile(p.Files(), name)
		write(t, dir, name, "meanwhile")
		if _, err := p.Apply(plan.New(plan.Op{Kind: plan.Create, Path: "new", After: []byte("x")}), Options{}); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s changed: %v", name, err)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if name == "main.go" {
			write(t, dir, name, "package main\n")
		}
	}
	if _, err := p.Apply(plan.New(plan.Op{Kind: plan.Create, Path: "new", After: []byte("x")}), Options{}); err != nil {
		t.Error(err)
	}
}

// Look leaves an interrupted step to the next command that writes.
func TestLookWritesNothing(t *testing.T) {
	dir := t.TempDir()
	project(t, dir)
	killed(t, dir, "apply", 50)
	before := look(t, dir)
	p, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Interrupted() {
		t.Error("nothing to recover")
	}
	if _, err := p.UndoPlan(); !errors.Is(err, ErrNothing) {
		t.Error(err)
	}
	if _, err := p.Apply(posts(), Options{}); err == nil {
		t.Error("applied without the lock")
	}
	p.Close()
	equal(t, "looked at", look(t, dir), before)
}
