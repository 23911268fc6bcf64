package auth

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var tokenInMail = regexp.MustCompile(`#token=([A-Za-z0-9_-]{43})`)

// mails waits until n mails are written and returns the tokens in them, oldest
// first.
func (w world) mails(t *testing.T, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(w.dir, "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) < n {
			continue
		}
		var tokens []string
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer("=\r\n", "", "=\n", "", "=3D", "=").Replace(string(raw))
			if found := tokenInMail.FindStringSubmatch(text); found != nil {
				tokens = append(tokens, found[1])
			}
		}
		return tokens
	}
	t.Fatalf("there are no %d mails", n)
	return nil
}
