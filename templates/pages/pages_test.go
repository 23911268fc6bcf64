package pages

import (
	"io/fs"
	"strings"
	"testing"
)

func TestGeneratedFiles(t *testing.T) {
	count := 0
	err := fs.WalkDir(files, "files", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			count++
			if !strings.HasPrefix(path, "files/internal/pages/") {
				t.Errorf("%s is outside internal/pages", path)
			}
		}
		return err
	})
	if err != nil || count < 8 {
		t.Errorf("%d files, %v", count, err)
	}
}
