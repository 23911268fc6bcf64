package reload

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"

	"github.com/charmbracelet/x/ansi"
)

func TestIgnore(t *testing.T) {
	dir := t.TempDir()
	text := "# comment\n\n*.log\n/data/\nbuild\n!keep.log\ndocs/**/*.pdf\n**/cache\n\\#hash\n[ab].txt\nlogs/**\n"
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ig := newIgnore(dir)
	for path, want := range map[string]bool{
		"main.go": false, "x.log": true, "deep/x.log": true, "keep.log": false,
		"data/": true, "data/blog.db": true, "internal/data/": false, "data": false,
		"build/x": true, "a/build/x": true, "builder/x": false,
		"docs/a.pdf": true, "docs/a/b/c.pdf": true, "a.pdf": false,
		"a/b/cache/x": true, "cache/": true, "#hash": true, "a.txt": true, "c.txt": false, "logs/a/b": true,
		".git/HEAD": true, "node_modules/x/y": true, "web/node_modules/x": true,
		"tmp/x.go": true, "internal/tmp/x.go": false,
		".nexios/base/x.go": true, ".nexios/undo/1": true, ".nexios/runtime/web/x.go": false,
		"nexios.json": true, "web/nexios.json": false,
	} {
		name, isDir := strings.CutSuffix(path, "/")
		if got := ig.match(name, isDir); got != want {
			t.Errorf("match(%q) = %v", path, got)
		}
	}
}

func TestMask(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"APP_SECRET", "x", "••••••"},
		{"SMTP_PASSWORD", "x", "••••••"},
		{"APP_SECRET", "", ""},
		{"LOG_LEVEL", "debug", "debug"},
		{"DATABASE_URL", "sqlite:data/blog.db", "sqlite:data/blog.db"},
		{"DATABASE_URL", "postgres://me:pw@db:5432/blog?password=x", "postgres://••••••@db:5432/blog?••••••"},
		{"REDIS_URL", "redis://:pw%zz@h", "••••••"},
		{"REDIS_URL", "redis://a:pw@one:1,redis://b:pw@two:2", "redis://••••••@two:2"},
		{"REPORTS", "postgres://me:12/pw@db/blog", "postgres://••••••@db/blog"},
		{"REPORTS", "postgres://me:1?pw@db/blog", "postgres://••••••@db/blog"},
		{"REPORTS", "me:pw@tcp(db:3306)/blog?tls=pw", "••••••@tcp(db:3306)/blog?••••••"},
		{"REPORTS", "host=db user=me password=pw", "••••••"},
		{"DATABASE_URL", "sqlite:data/blog.db?_pragma=key(pw)", "sqlite:data/blog.db?••••••"},
		{"FILES_URL", "s3://KEY:pw@minio:9000/files?region=x", "s3://••••••@minio:9000/files?••••••"},
		{"SMTP_PASS", "pw", "••••••"}, {"MYSQL_PWD", "pw", "••••••"}, {"GITHUB_PAT", "pw", "••••••"}, {"SIGNING_SEED", "pw", "••••••"},
		{"SESSION_COOKIE", "pw", "••••••"}, {"SMTP_AUTH", "pw", "••••••"}, {"CHAT_WEBHOOK_URL", "https://chat.example/pw", "••••••"},
		{"CERTIFICATE", "-----BEGIN\npw\n-----END", "••••••"},
		{"AUTH_ISSUER", "blog", "blog"}, {"MAIL_FROM", "blog <blog@localhost>", "blog <blog@localhost>"}, {"MAIL_PATTERN", "what?", "what?"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "http://127.0.0.1:4318"}, {"CORS_ORIGINS", "https://a.example,https://b.example", "https://a.example,https://b.example"},
	} {
		if got := mask(test.name, test.value); got != test.want {
			t.Errorf("mask(%q, %q) = %q, want %q", test.name, test.value, got, test.want)
		}
	}
}

func TestHostNames(t *testing.T) {
	for host, want := range map[string][2]bool{ // by address, of this machine
		"localhost:8000": {true, true}, "LOCALHOST": {true, true}, "blog.localhost:1": {true, true},
		"127.0.0.1:8000": {true, true}, "127.9.9.9": {true, true}, "[::1]:8000": {true, true}, "::1": {true, true},
		"192.168.1.7:8000": {true, false}, "[fe80::1]:1": {true, false},
		"example.com": {false, false}, "127.0.0.1.nip.io:8000": {false, false}, "localhost.example.com": {false, false}, "": {false, false},
	} {
		if got := [2]bool{proxy.LocalName(host), loopbackName(host)}; got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

// The program logs everything as JSON, and lines from the requested level on are shown;
// invalid settings are left for the program to reject.
func TestLogSettings(t *testing.T) {
	for _, test := range []struct {
		env   string
		add   bool
		least slog.Level
	}{
		{"", true, slog.LevelInfo}, {"LOG_LEVEL=warn LOG_FORMAT=text", true, slog.LevelWarn}, {"LOG_LEVEL=loud", false, slog.LevelInfo},
		{"LOG_FORMAT=xml", false, slog.LevelInfo}, {"APP_ENV=production LOG_LEVEL=debug", false, slog.LevelDebug},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(strings.ReplaceAll(test.env, " ", "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, got := range []func() ([]string, slog.Level){
			func() ([]string, slog.Level) { return logSettings(t.TempDir(), strings.Fields(test.env)) },
			func() ([]string, slog.Level) { return logSettings(dir, nil) },
		} {
			if add, least := got(); (len(add) > 0) != test.add || least != test.least {
				t.Errorf("%s: %v, %v", test.env, add, least)
			}
		}
	}
}

func TestScreen(t *testing.T) {
	long := strings.Repeat("long ", 60)
	events := []event.Event{
		{Kind: event.KindBuilt, Build: &event.Build{ID: 3, Mode: event.ModeFast, Watch: 14, Compile: 80, Link: 420, Start: 60, Total: 580}},
		{Kind: event.KindRequest, Request: &event.Request{Method: "GET", Path: "/api/v1/posts", Status: 200, Took: 3.2, SQL: 12, Repeat: 10}},
		{Kind: event.KindRequest, Request: &event.Request{Method: "GET", Path: "/" + long, Status: 404, Took: 1}},
		{Kind: event.KindLog, Text: "time=now level=ERROR msg=oh"},
		{Kind: event.KindLog, Level: "ERROR", Text: "ERROR panic\n    stack:\n      one"},
		{Kind: event.KindLog, Text: "a\ttab " + long},
		{Kind: event.KindFailed, Build: &event.Build{ID: 4, Stage: event.StageBuild, Errors: []event.Diagnostic{{File: "internal/posts/posts.go", Line: 12, Column: 9, Message: "undefined: " + long, Source: "\treturn x"}}}},
	}
	for _, size := range [][2]int{{80, 24}, {200, 50}, {20, 6}} {
		m := newScreenModel("blog", "http://127.0.0.1:8000", make(chan string, 1))
		m.width, m.height = size[0], size[1]
		for _, e := range events {
			e.Time = time.Now()
			m = m.event(e)
		}
		for _, key := range []string{"", "l", "l", "l", "c"} {
			if key != "" {
				next, _ := m.key(key)
				m = next.(screenModel)
			}
			view := m.View()
			lines := strings.Split(view, "\n")
			if len(lines) != size[1] {
				t.Errorf("%v: %d lines", size, len(lines))
			}
			for _, line := range lines {
				if w := ansi.StringWidth(line); w > size[0] {
					t.Errorf("%v: a line of %d: %s", size, w, line)
				}
			}
			if size[0] >= 80 && !strings.Contains(view, "posts.go:12:9") {
				t.Errorf("%v: no place in\n%s", size, view)
			}
			if strings.Contains(view, "N+1?") != (size[0] >= 80 && m.least < weightError && key != "c") {
				t.Errorf("%v, %s: N+1 in\n%s", size, m.least, view)
			}
		}
	}
}

// Output of a program cannot move the cursor, clear the screen or set the window title,
// and the screen says if a failure is truncated.
func TestScreenStripsControlSequences(t *testing.T) {
	const ugly = "one \x1b[2J\x1b[3;1H\x1b[31mtwo\r\a\x1b]0;name\x07three\u202e"
	m := newScreenModel("blog", "http://127.0.0.1:8000", make(chan string, 1))
	m = m.event(event.Event{Kind: event.KindLog, Text: ugly})
	m = m.event(event.Event{Kind: event.KindTest, Test: &event.Test{OK: true}})
	m = m.event(event.Event{Kind: event.KindFailed, Build: &event.Build{Stage: event.StageStart, Output: ugly + strings.Repeat("\nmore", 40)}})
	view := m.View()
	if want := "one two��three�"; strings.Count(view, want) != 2 || strings.ContainsAny(ansi.Strip(view), "\x1b\r\a\u202e") || strings.Contains(view, "\x1b[2J") {
		t.Errorf("not %q twice in\n%q", want, view)
	}
	if !strings.Contains(view, "… 31 more lines, at http://127.0.0.1:8000/dev") {
		t.Errorf("the screen does not say that lines are missing:\n%s", view)
	}
	m = m.event(event.Event{Kind: event.KindBuilt, Build: &event.Build{ID: 1, Mode: event.ModeFull, Compile: 1}})
	if view := m.View(); !strings.Contains(view, "tests pass") {
		t.Errorf("no tests in\n%s", view)
	}
	var b board
	b.note(event.Event{Kind: event.KindLog, Text: ugly})
	if got := b.logs[0].Text; got != "one two��three�" {
		t.Errorf("/dev shows %q", got)
	}
	if view := m.event(event.Event{Kind: event.KindChange}).View(); strings.Contains(strings.Split(view, "\n")[1], "tests pass") {
		t.Errorf("tests of the previous version in\n%s", view)
	}
}

// The feed never blocks requests, and reports how many it dropped.
func TestFeed(t *testing.T) {
	var out bytes.Buffer
	wait := make(chan struct{})
	show := plainWriter(&out)
	f := newFeed(func(e event.Event) { <-wait; show(e) })
	for range 10000 {
		f.emit(event.Event{Kind: event.KindRequest, Request: &event.Request{}})
	}
	close(wait)
	for deadline := time.Now().Add(patience); len(f.events) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	f.emit(event.Event{Kind: event.KindNote, Text: "the end"})
	f.close()
	f.emit(event.Event{Kind: event.KindNote, Text: "too late"})
	text := out.String()
	if !strings.Contains(text, " requests are not shown") || !strings.Contains(text, "the end") || strings.Contains(text, "too late") {
		t.Errorf("got %d bytes ending in %q", len(text), text[max(0, len(text)-200):])
	}
}

// The project to run is the one that contains the working directory, unless a directory
// is given; invalid directories are rejected before anything starts.
func TestFind(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lay(t, dir, nil, map[string]string{
		"project/go.mod": "module x\n", "project/nexios.json": "{}", "project/main.go": "package main\n",
		"project/part/deep/deep.go": "package deep\n", "project/empty/README": "",
		"broken/go.mod": "module x\n", "broken/main.go": "packag main\n", "outside/x.go": "package main\n",
	})
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, test := range []struct{ cwd, dir, found, err string }{
		{"project", "", "project", ""},
		{"project/part/deep", "", "project", ""},
		{"project/part", "..", "project", ""},
		{"project", "part/deep", "", "there is no program in " + at("project/part/deep") + "\n  where: package deep, not main\n  try:   "},
		{"project", "empty", "", "there is no program in " + at("project/empty") + "\n  where: no .go file\n  try:   "},
		{"broken", "", "broken", ""},
		{"outside", "", "", "there is no go.mod\n  where: " + at("outside") + " or above it\n  "},
		{"outside", "nowhere", "", "there is no directory nowhere\n  "},
	} {
		t.Chdir(at(test.cwd))
		s := &server{o: Options{Dir: test.dir}}
		err := s.find()
		if test.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), test.err) {
				t.Errorf("%s, %q: got %v", test.cwd, test.dir, err)
			}
			continue
		}
		if err != nil || s.dir != at(test.found) || s.nexios != (test.found == "project") {
			t.Errorf("%s, %q: got %s, %v", test.cwd, test.dir, s.dir, err)
		}
	}
	t.Chdir(at("project"))
	t.Setenv("PATH", t.TempDir())
	if err := (&server{}).find(); err == nil || !strings.HasPrefix(err.Error(), "the go command was not found\n  where: PATH\n  try: ") {
		t.Errorf("without go: %v", err)
	}
}
