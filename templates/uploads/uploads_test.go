package uploads

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

func TestGeneratedFiles(t *testing.T) {
	var got []string
	err := fs.WalkDir(files, "files", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, strings.TrimPrefix(path, "files/"))
		}
		return err
	})
	want := []string{"internal/uploads/input.go", "internal/uploads/uploads.go", "internal/uploads/uploads_test.go"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestOptionsBecomeSettings(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		lines   []string
	}{
		{nil, nil},
		{map[string]string{"store": "local", "max": "10MiB", "types": ""}, nil},
		{map[string]string{"max": "2GiB", "types": "image,pdf"}, []string{"FILES_MAX=2GiB", "FILES_TYPES=image,pdf"}},
		{map[string]string{"store": "s3"}, []string{"FILES_URL=s3://key:secret@127.0.0.1:9000/uploads?tls=off"}},
	} {
		if got := settings(spec.Feature{Options: c.options}); !slices.Equal(got, c.lines) {
			t.Errorf("%v: %v; want %v", c.options, got, c.lines)
		}
	}
}

func TestSizes(t *testing.T) {
	for size, ok := range map[string]bool{
		"": true, "1": true, "500KB": true, "10mib": true, "2GiB": true, "17b": true,
		"0": false, "-1": false, "1.5MiB": false, "ten": false, "10 MiB": false, "10TiB": false, "10MiB\nX=1": false, "9999999999999": false,
	} {
		if err := check(spec.Project{}, spec.Feature{Options: map[string]string{"max": size}}); (err == nil) != ok {
			t.Errorf("%q: %v", size, err)
		}
	}
}
