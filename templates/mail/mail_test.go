package mail

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
			got = append(got, strings.TrimPrefix(path, "files/internal/mail/"))
		}
		return err
	})
	want := []string{"mail.go", "mail_test.go", "templates/layout.html", "templates/welcome.html", "templates/welcome.txt"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}
