package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/auth/authtest"
)

// The user is notified of a login from a new device: it may be someone else's.
func TestANewDeviceIsToldByMail(t *testing.T) {
	t.Parallel()
	w := start(t, authtest.Config())
	client, _ := w.alice()
	w.alice()
	w.settled(t)
	files, err := filepath.Glob(filepath.Join(w.dir, "*.eml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d mails, %v", len(files), err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"alice@example.com", "Subject: There was a login from a new device", "Address: 127.0.0.1"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%q is not in the mail:\n%s", want, raw)
		}
	}
	client.Get("/whoami").Expect(200)
}
