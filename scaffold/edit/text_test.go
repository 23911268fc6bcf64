package edit

import (
	"bytes"
	"strings"
	"testing"
)

func TestRequire(t *testing.T) {
	const src = `module example.com/blog

go 1.26.0

require (
	github.com/gin-gonic/gin v1.12.0
	github.com/mine/own v0.1.0
	gorm.io/gorm v1.31.2
)

require (
	github.com/old/indirect v1.0.0 // indirect
	github.com/other/indirect v1.0.0 // indirect
)

// ours is better
replace github.com/mine/own => ../own
`
	got, err := Require([]byte(src), []Requirement{
		{Path: "github.com/gin-gonic/gin", Version: "v1.11.0"},                  // never lowered
		{Path: "gorm.io/gorm", Version: "v1.32.0", Indirect: true},              // raised, still direct
		{Path: "github.com/old/indirect", Version: "v1.0.0"},                    // now direct
		{Path: "github.com/new/direct", Version: "v2.0.0+incompatible"},         // added
		{Path: "github.com/new/indirect", Version: "v0.3.0", Indirect: true},    // added
		{Path: "github.com/mine/own", Version: "v0.0.0-20260101000000-abcdef0"}, // never lowered
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `module example.com/blog

go 1.26.0

require (
	github.com/gin-gonic/gin v1.12.0
	github.com/mine/own v0.1.0
	github.com/new/direct v2.0.0+incompatible
	github.com/old/indirect v1.0.0
	gorm.io/gorm v1.32.0
)

require (
	github.com/new/indirect v0.3.0 // indirect
	github.com/other/indirect v1.0.0 // indirect
)

// ours is better
replace github.com/mine/own => ../own
`
	if string(got) != want {
		t.Errorf("got:\n%s", got)
	}
	crlf := func(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }
	if got, err := Require(crlf(src), []Requirement{{Path: "gorm.io/gorm", Version: "v1.32.0"}}); err != nil ||
		!bytes.Equal(got, crlf(strings.Replace(src, "gorm v1.31.2", "gorm v1.32.0", 1))) {
		t.Errorf("in crlf: %v\n%q", err, got)
	}
	odd := strings.Replace(src, "require (", "require   (", 1)
	if got, err := Require([]byte(odd), []Requirement{{Path: "gorm.io/gorm", Version: "v1.0.0"}}); err != nil || string(got) != odd {
		t.Errorf("changed without need: %v\n%s", err, got)
	}
	if _, err := Require([]byte("modul x"), nil); err == nil {
		t.Error("no error for an invalid go.mod")
	}
}

func TestSums(t *testing.T) {
	const src = "a.b/c v1.9.0 h1:1=\na.b/c v1.9.0/go.mod h1:2=\n"
	got := Sums([]byte(src), []string{"a.b/c v1.10.0/go.mod h1:3=", "a.b/c v1.9.0 h1:1=", "a.a/a v0.1.0 h1:4="})
	want := "a.a/a v0.1.0 h1:4=\na.b/c v1.9.0 h1:1=\na.b/c v1.9.0/go.mod h1:2=\na.b/c v1.10.0/go.mod h1:3=\n"
	if string(got) != want {
		t.Errorf("got:\n%s", got)
	}
	if again := Sums(got, []string{"a.a/a v0.1.0 h1:4="}); string(again) != want {
		t.Errorf("applied twice:\n%s", again)
	}
	if got := Sums(nil, []string{"a.a/a v0.1.0 h1:4="}); string(got) != "a.a/a v0.1.0 h1:4=\n" {
		t.Errorf("from an empty file: %q", got)
	}
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	if got := Sums([]byte(crlf(src)), []string{"a.b/c v1.10.0/go.mod h1:3=", "a.a/a v0.1.0 h1:4="}); string(got) != crlf(want) {
		t.Errorf("in crlf: %q", got)
	}
	if got := Sums(nil, nil); got != nil {
		t.Errorf("changed without need: %q", got)
	}
}

func TestLine(t *testing.T) {
	const mail = "# Mail\nSMTP_URL=file:tmp/mail\nMAIL_FROM=blog@example.com\n"
	for _, c := range []struct{ name, src, text, want, back string }{
		{"to nothing", "", "/bin/", "/bin/\n", ""},
		{"to the end", "a\n", "/bin/", "a\n/bin/\n", "a\n"},
		{"without last newline", "a", "/bin/", "a\n/bin/\n", "a\n"},
		{"crlf", "a\r\n", "b\nc\n", "a\r\nb\r\nc\r\n", "a\r\n"},
		{"there", "  /bin/\nb\n", "/bin/", "  /bin/\nb\n", "b\n"},
		{"only in part", "/bin\n", "/bin/", "/bin\n/bin/\n", "/bin\n"},
		{"a setting", "APP_ENV=development\n", "APP_SECRET=", "APP_ENV=development\nAPP_SECRET=\n", "APP_ENV=development\n"},
		{"a setting with another value", "APP_SECRET=mine\n", "APP_SECRET=", "APP_SECRET=mine\n", "APP_SECRET=mine\n"},
		{"a block", "A=1\n", mail, "A=1\n" + mail, "A=1\n"},
		{"a block, in part", "MAIL_FROM=me@example.com\n", mail, "MAIL_FROM=me@example.com\n# Mail\nSMTP_URL=file:tmp/mail\n", "MAIL_FROM=me@example.com\n"},
		{"a block, there", "SMTP_URL=x\nMAIL_FROM=y\n", mail, "SMTP_URL=x\nMAIL_FROM=y\n", "SMTP_URL=x\nMAIL_FROM=y\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Edit{Op: AddLine, Text: c.text}
			got, err := e.Apply([]byte(c.src))
			if err != nil || string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if again, _ := e.Apply(got); string(again) != c.want {
				t.Errorf("applied twice: %q", again)
			}
			if back, _ := e.Revert(got); string(back) != c.back {
				t.Errorf("reverted: %q, want %q", back, c.back)
			}
		})
	}
}
