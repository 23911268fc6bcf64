package auth

import (
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/render"
	"github.com/nexios-go/nexios/scaffold/spec"
)

func with(parts ...string) spec.Feature {
	return spec.Feature{Name: "auth", Options: map[string]string{"with": strings.Join(parts, ",")}}
}

func rendered(t *testing.T, f spec.Feature) map[string]string {
	t.Helper()
	out, err := render.Tree(Files(), render.Input{Module: "blog", Data: viewOf(f), Keep: func(path string) bool { return viewOf(f).keep(path) }})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range out {
		if _, twice := files[file.Path]; twice {
			t.Errorf("%s is written twice", file.Path)
		}
		files[file.Path] = string(file.Data)
	}
	return files
}

// TestTemplatesMakeWhatIsTested: with every part, a template makes the file
// beside it, which go test compiles and runs.
func TestTemplatesMakeWhatIsTested(t *testing.T) {
	made := rendered(t, with(parts...))
	twins := []string{"internal/auth/auth.go", "internal/login/login.html"}
	tested, err := render.Tree(Files(), render.Input{Module: "blog", Keep: func(path string) bool { return slices.Contains(twins, path) }})
	if err != nil || len(tested) != len(twins) {
		t.Fatalf("%d files, %v", len(tested), err)
	}
	for _, file := range tested {
		if made[file.Path] != string(file.Data) {
			t.Errorf("%s.tmpl with every part makes another file:\n%s", file.Path, made[file.Path])
		}
	}
}

func TestPartsChooseFiles(t *testing.T) {
	bare := []string{
		"internal/auth/auth.go", "internal/auth/auth_test.go", "internal/auth/input.go", "internal/auth/login.go",
		"internal/auth/sessions.go", "internal/auth/start_test.go", "internal/auth/outbox.go", "internal/auth/outbox_test.go",
		"internal/auth/notice.go", "internal/auth/notice_test.go",
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
		for path, text := range rendered(t, with(part)) {
			got = append(got, path)
			for _, trace := range []string{"{{-", "{{if", "templates/auth", "nolint"} {
				if strings.HasSuffix(path, ".go") && strings.Contains(text, trace) {
					t.Errorf("--with %s: %s holds %s", part, path, trace)
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
