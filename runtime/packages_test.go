package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackagesHaveDocsAndExamples checks that every package has a doc.go with a reading
// order and an example.
func TestPackagesHaveDocsAndExamples(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		n++
		for file, words := range map[string][]string{
			"doc.go":          {"// Reading order: ", "// All code is in "},
			"example_test.go": {"func Example() {"},
		} {
			text, err := os.ReadFile(filepath.Join(entry.Name(), file))
			if err != nil {
				t.Errorf("%v: see the other packages", err)
			}
			has := false
			for _, w := range words {
				has = has || strings.Contains(string(text), w)
			}
			if !has {
				t.Errorf("%s/%s contains none of %q", entry.Name(), file, words)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d packages", n)
	}
}
