package plan

import "testing"

func TestCheckPath(t *testing.T) {
	for _, name := range []string{
		"main.go", ".gitignore", ".github/workflows/ci.yml", "internal/git/x.go", "git", "x.git/y", "gitx~1", "giants~1", "a~1", ".nexios/base/main.go",
	} {
		if err := CheckPath(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../x", "/x", "a//b", "a/../b", `a\\b`, "C:x", "a\x00b", "a\x1b[31mb", "a\nb",
		".git", ".git/config", "a/b/.git/hooks/x", ".nexios/base/.git/config",
		".GIT/config", ".Git", ".git./config", ".git /config", ".git. . /x", "git~1/config", "GIT~1", "git~2", "GIT~12/x", "gi7eba~1/config", "GI7D29~1",
		".g\u200cit/config", ".git\u200b/x", "\ufeff.git", ".gi\u00adt", ".git\ufe0f/x", ".\u2060git",
	} {
		if CheckPath(name) == nil {
			t.Errorf("no error for %q", name)
		}
	}
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ü, \t日本\n": "plain, ü, \t日本\n",
		"\x1b[2Jgone":      `\x1b[2Jgone`,
		"a\rb":             `a\rb`,
		"\u009b31m":        `\u009b31m`,
		"if \u202e x":      `if \u202e x`,
		"a\u2028b\u200b":   `a\u2028b\u200b`,
		"\xff\xfe":         `\xff\xfe`,
		"\ufffd":           "\ufffd",
		"\x7f\b\a":         `\x7f\b\a`,
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
