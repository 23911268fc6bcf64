package auth

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

func with(parts ...string) spec.Feature {
	return spec.Feature{Name: "auth", Options: map[string]string{"with": strings.Join(parts, ",")}}
}

func rendered(t *testing.T, module string, f spec.Feature) map[string]string {
	t.Helper()
	out, err := Feature().Render(spec.Project{Name: "blog", Module: module}, f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range out {
		files[file.Path] = string(file.Data)
	}
	return files
}

var update = flag.Bool("update", false, "write the files next to their templates")

// TestRenderedFilesAreUpToDate checks that the file next to a template is its output
// with all parts, so that go test compiles and runs it.
func TestRenderedFilesAreUpToDate(t *testing.T) {
	made := rendered(t, "github.com/nexios-go/nexios/templates/auth/files", with(parts...))
	templates := 0
	err := fs.WalkDir(files, "files", func(path string, _ fs.DirEntry, err error) error {
		path, ok := strings.CutSuffix(path, ".tmpl")
		if !ok || err != nil {
			return err
		}
		templates++
		text := made[strings.TrimPrefix(path, "files/")]
		if *update {
			return os.WriteFile(filepath.FromSlash(path), []byte(text), 0o644)
		}
		if beside, err := fs.ReadFile(files, path); err != nil || string(beside) != text {
			t.Errorf("%s is not the output of its template (%v): run make golden", path, err)
		}
		return nil
	})
	if err != nil || templates == 0 {
		t.Errorf("%d templates, %v", templates, err)
	}
}

func TestPartsChooseFiles(t *testing.T) {
	bare := []string{
		"internal/auth/auth.go", "internal/auth/auth_test.go", "internal/auth/input.go", "internal/auth/login.go",
		"internal/auth/sessions.go", "internal/auth/start_test.go", "internal/auth/outbox.go", "internal/auth/outbox_test.go",
		"internal/auth/notice.go", "internal/auth/notice_test.go", "internal/auth/factors.go", "internal/auth/factors_test.go",
		"internal/auth/mails/layout.html", "internal/auth/mails/notice.html", "internal/auth/mails/notice.txt",
		"internal/migrations/20260101000000_create_users.go", "internal/model/user.go",
		"internal/users/command.go", "internal/users/input.go", "internal/users/users.go", "internal/users/users_test.go",
	}
	page := []string{"internal/login/login.go", "internal/login/login.html", "internal/login/login_test.go"}
	letters := []string{"internal/auth/letter.go", "internal/auth/letter_test.go"}
	for part, more := range map[string][]string{
		none:     nil,
		totp:     {"internal/auth/totp.go", "internal/auth/totp_test.go"},
		apikeys:  {"internal/auth/keys.go", "internal/auth/keys_test.go"},
		sessions: {"internal/sessions/sessions.go", "internal/sessions/sessions_test.go"},
		reset:    append([]string{"internal/auth/reset.go", "internal/auth/reset_test.go", "internal/auth/mails/reset.html", "internal/auth/mails/reset.txt", "internal/auth/mails/undo.html", "internal/auth/mails/undo.txt"}, letters...),
		oidc:     append([]string{"internal/oidc/oidc.go", "internal/oidc/oidc_test.go"}, page...),
		passkeys: append([]string{"internal/passkeys/passkeys.go", "internal/passkeys/passkeys_test.go"}, page...),
		confirm:  append([]string{"internal/auth/confirm.go", "internal/auth/confirm_test.go", "internal/auth/mails/confirm.html", "internal/auth/mails/confirm.txt"}, letters...),
	} {
		var got []string
		for path, text := range rendered(t, "blog", with(part)) {
			got = append(got, path)
			for _, trace := range []string{"{{-", "{{if", "templates/auth", "nolint"} {
				if strings.HasSuffix(path, ".go") && strings.Contains(text, trace) {
					t.Errorf("--with %s: %s contains %s", part, path, trace)
				}
			}
		}
		want := slices.Sorted(slices.Values(slices.Concat(bare, more)))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("--with %s: %v\nwant %v", part, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		project spec.Project
		with    []string
		ok      bool
	}{
		{spec.Project{}, parts, true},
		{spec.Project{}, []string{none}, true},
		{spec.Project{}, []string{none, totp}, false},
		{spec.Project{Resources: []spec.Resource{{Name: "user", Plural: "users"}}}, parts, false},
		{spec.Project{Resources: []spec.Resource{{Name: "user", Plural: "users", Table: "people"}}}, parts, true},
	} {
		if err := check(c.project, with(c.with...)); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
