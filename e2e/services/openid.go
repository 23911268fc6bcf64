package services

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// openIDModule is the server of a certified implementation, which reads its users from a
// file.
const openIDModule = "github.com/zitadel/oidc/v3/example/server@v3.52.0"

// Client id and secret of the application at an OpenID provider of [OpenID].
const (
	OpenIDClient = "web"
	OpenIDSecret = "secret"
)

// Person is a user of an OpenID provider.
type Person struct {
	ID            string
	Username      string
	Password      string
	Email         string
	EmailVerified bool
}

// OpenID starts an OpenID provider for the test, which redirects users to callback after a
// login.
func OpenID(t testing.TB, callback string, people ...Person) *Server {
	t.Helper()
	skipShort(t, "a server that Go installs")
	bin := t.TempDir()
	cmd := exec.Command("go", "install", openIDModule)
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("there is no OpenID provider and it cannot be installed: %v\n%s  try: go install %s", err, out, openIDModule)
	}
	s, err := newServer("openid")
	if err != nil {
		t.Fatal(err)
	}
	s.URL = fmt.Sprintf("http://localhost:%d/", s.port)
	known := map[string]any{}
	for _, p := range people {
		known[p.ID] = struct {
			Person
			PreferredLanguage string
		}{p, "en"}
	}
	text, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(s.dir, "people.json")
	if err := os.WriteFile(users, text, 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.run(nil,
		[]string{"env", "PORT=" + strconv.Itoa(s.port), "USERS_FILE=" + users, "REDIRECT_URI=" + callback, filepath.Join(bin, "server")},
		func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+".well-known/openid-configuration", nil)
			if err != nil {
				return err
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			return answer.Body.Close()
		})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.guard.Close() })
	return s
}
