package tour

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestGeneratedFiles(t *testing.T) {
	var got []string
	err := fs.WalkDir(files, "files", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, strings.TrimPrefix(path, "files/"))
		}
		return err
	})
	want := []string{
		"internal/migrations/20260101000300_create_tour_users.go", "internal/model/tour_user.go",
		"internal/tour/input.go", "internal/tour/tour.go", "internal/tour/tour_test.go",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}
