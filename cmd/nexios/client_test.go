package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// A temporary file left by a killed process is removed, one of a running process is
// kept.
func TestTempFilesOfKilledProcessesAreRemoved(t *testing.T) {
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	left := fmt.Sprintf("%s%d-1", tempPrefix, ended.Process.Pid)
	written := fmt.Sprintf("%s%d-1", tempPrefix, os.Getppid())
	own := tempPrefix + "notes"
	for _, name := range []string{left, written, own} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := replaceFile(filepath.Join(dir, "api.ts"), []byte("text")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	want := []string{written, own, "api.ts"}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("files are %q, want %q", names, want)
	}
}
