package reload

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

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
	} {
		name, isDir := strings.CutSuffix(path, "/")
		if got := ig.match(name, isDir); got != want {
			t.Errorf("match(%q) = %v", path, got)
		}
	}
}

func TestDiagnostics(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { x }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, rest := diagnostics(dir, "go: downloading example.com/x v1.0.0\n# blog\n./main.go:3:15: undefined: x\n\thave (int)\n\twant ()\n"+
		filepath.Join(dir, "main.go")+":1: other\ntoo many errors\ngo: something else\n")
	want := []Diagnostic{
		{"main.go", 3, 15, "undefined: x\n\thave (int)\n\twant ()", "func main() { x }"},
		{"main.go", 1, 0, "other", "package main"},
	}
	if !slices.Equal(list, want) || rest != "go: something else" {
		t.Errorf("got %+v, %q", list, rest)
	}
	list = panicked(dir, "starting\npanic: oh [recovered]\n\ngoroutine 1 [running]:\nruntime.x()\n\t/usr/lib/go/x.go:7 +0x1\nmain.main()\n\t"+
		filepath.Join(dir, "main.go")+":3 +0x2e\nexit status 2\n")
	if len(list) != 1 || list[0].Place() != "main.go:3" || list[0].Message != "panic: oh [recovered]" {
		t.Errorf("got %+v", list)
	}
}

func TestAllowScript(t *testing.T) {
	const script, live = "http://localhost:1/__nexios/reload.js", "ws://localhost:1/__nexios/live"
	for _, test := range []struct{ policy, want, nonce string }{
		{"frame-ancestors 'none'", "frame-ancestors 'none'", ""},
		{"default-src 'self'", "default-src 'self'; script-src 'self' " + script + "; connect-src 'self' " + live, ""},
		{"default-src 'none'; script-src 'self'", "default-src 'none'; script-src 'self' " + script + "; connect-src " + live, ""},
		{"Script-Src 'none'; connect-src https://x", "script-src " + script + "; connect-src https://x " + live, ""},
		{"script-src 'strict-dynamic' 'nonce-a1_='", "script-src 'strict-dynamic' 'nonce-a1_=' " + script, ` nonce="a1_="`},
		{"script-src-elem 'self'; script-src 'none'", "script-src-elem 'self' " + script + "; script-src " + script, ""},
		{"default-src 'self', script-src 'none'", "default-src 'self'; script-src 'self' " + script + "; connect-src 'self' " + live + ",script-src " + script, ""},
	} {
		h := http.Header{"Content-Security-Policy": {test.policy}}
		nonce := allowScript(h, "localhost:1")
		if got := h.Get("Content-Security-Policy"); got != test.want || nonce != test.nonce {
			t.Errorf("%s\n got %s (%s)\nwant %s (%s)", test.policy, got, nonce, test.want, test.nonce)
		}
	}
}

// A close frame of ours is only sent between frames, however the bytes come.
func TestFrames(t *testing.T) {
	var stream []byte
	ends := map[int]bool{0: true}
	for _, size := range []int{0, 1, 125, 126, 300, 70000} {
		head := []byte{0x81, byte(size)}
		switch {
		case size > 65535:
			head = []byte{0x81, 127, 0, 0, 0, 0, 0, byte(size >> 16), byte(size >> 8), byte(size)}
		case size > 125:
			head = []byte{0x81, 126, byte(size >> 8), byte(size)}
		}
		stream = append(append(stream, head...), make([]byte, size)...)
		ends[len(stream)] = true
	}
	for cut := 0; cut <= len(stream); cut++ {
		if cut > 1000 && cut < len(stream)-20 {
			continue
		}
		var f frames
		f.pass(stream[:cut/2])
		f.pass(stream[cut/2 : cut])
		if got := f.goodbye() != nil; got != ends[cut] {
			t.Errorf("after %d bytes: %v", cut, got)
		}
		if f.goodbye() != nil {
			t.Errorf("after %d bytes: twice", cut)
		}
	}
	var f frames
	f.pass([]byte{0x88, 2, 3, 0xe8})
	if f.goodbye() != nil {
		t.Error("after the program's own close frame")
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

func TestNames(t *testing.T) {
	for host, want := range map[string][2]bool{ // by address, of this machine
		"localhost:8000": {true, true}, "LOCALHOST": {true, true}, "blog.localhost:1": {true, true},
		"127.0.0.1:8000": {true, true}, "127.9.9.9": {true, true}, "[::1]:8000": {true, true}, "::1": {true, true},
		"192.168.1.7:8000": {true, false}, "[fe80::1]:1": {true, false},
		"example.com": {false, false}, "127.0.0.1.nip.io:8000": {false, false}, "localhost.example.com": {false, false}, "": {false, false},
	} {
		if got := [2]bool{localName(host), loopbackName(host)}; got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	for version, want := range map[string]string{"1.26.3": "1.26", "1.26": "1.26", "1.27rc1": "1.27", "1.9": "1.9"} {
		if got := language(version); got != want {
			t.Errorf("language(%q) = %q", version, got)
		}
	}
}

// The reaper kills what it was told of and not told to forget.
func TestReap(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows ends children by job objects")
	}
	spawn, err := newSpawner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer spawn.close()
	var started [2]*exec.Cmd
	for i := range started {
		started[i] = exec.Command("sleep", "600")
		if _, err := spawn.start(started[i]); err != nil {
			t.Fatal(err)
		}
	}
	Reap(strings.NewReader(fmt.Sprintf("+%d\n+%d\nrubbish\n-%d\n", started[0].Process.Pid, started[1].Process.Pid, started[1].Process.Pid)))
	if err := started[0].Wait(); err == nil {
		t.Error("the first was not killed")
	}
	if !alive(started[1].Process.Pid) {
		t.Error("the second was killed")
	}
	_ = started[1].Process.Kill()
	_ = started[1].Wait()
}

func TestReadLine(t *testing.T) {
	for _, test := range []struct {
		text string
		want line
	}{
		{"plain", line{text: "plain"}},
		{`{"a":1}`, line{text: `{"a":1}`}},
		{`{"level":"INFO","msg":"cut`, line{text: `{"level":"INFO","msg":"cut`}},
		{`[1]`, line{text: `[1]`}},
		{
			`{"time":"2026-11-21T13:40:47.5Z","level":"WARN","msg":"slow query","query":"SELECT 1","took":1500000,"n":{"x":[1,2]},"none":null,"empty":"","request_id":"abc"}`,
			line{text: `WARN  slow sql  query="SELECT 1"  took=1.5 ms  n={"x":[1,2]}  none=null  empty=""`, record: true, level: slog.LevelWarn, message: "slow query", request: "abc"},
		},
		{
			`{"level":"ERROR","msg":"panic\u001b[2J","error":"oh\u001b","stack":"main\n\tx.go:7\n","on":true}`,
			line{text: "ERROR panic�[2J  error=\"oh\\x1b\"  on=true\n    stack:\n      main\n      \tx.go:7", record: true, level: slog.LevelError, message: "panic\x1b[2J"},
		},
		{
			`{"level":"DEBUG-4","msg":"statement","query":"SELECT 1","rows":2,"took":1500000,"failed":true,"request_id":"abc"}`,
			line{
				text: `DEBUG-4 statement  query="SELECT 1"  rows=2  took=1.5 ms  failed=true`, record: true, level: everything, message: "statement", request: "abc",
				sql: &Statement{Query: "SELECT 1", Count: 1, Took: 1.5, Rows: 2, Failed: true},
			},
		},
	} {
		if got := readLine(test.text); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s\n got %+v\nwant %+v", test.text, got, test.want)
		}
	}
}

// However much a program says, what is kept of a request is bounded.
func TestTraceIsBounded(t *testing.T) {
	ts := traces{open: map[string]*trace{}}
	long := strings.Repeat("long ü", 1000)
	trace := ts.begin("one")
	other := ts.begin("one") // a client sent the same id
	for i := range 1000 {
		ts.note(line{request: "one", level: everything, sql: &Statement{Query: fmt.Sprint(i, long), Count: 1}})
		ts.note(line{request: "one", text: long})
		ts.note(line{request: "never begun", text: long})
	}
	if !ts.note(line{request: "one", message: messageRequest}) || ts.note(line{request: "one", text: "too late"}) {
		t.Error("the last record of a request is not told from others")
	}
	<-trace.ended
	var r Request
	ts.end(other, &r)
	ts.end(trace, &r)
	if r.SQL != 1000 || len(r.Statements) != statementsKept || len(r.Logs) != logsKept || len(ts.open) != 0 {
		t.Errorf("%d statements, %d kept, %d lines, %d open", r.SQL, len(r.Statements), len(r.Logs), len(ts.open))
	}
	if text := r.Statements[0].Query; len(text) > textKept+3 || !utf8.ValidString(text) || !strings.HasSuffix(text, "…") {
		t.Errorf("%d bytes: %q", len(text), text[len(text)-20:])
	}
	ts.note(line{request: "one", text: "after the end"})
}

func TestLines(t *testing.T) {
	var got []string
	l := lineWriter(func(text string) { got = append(got, text) })
	for _, part := range []string{"one\ntw", "o\r\n", "\n", strings.Repeat("x", lineLimit), "more", "\nend"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	l.flush()
	if want := []string{"one", "two", "", strings.Repeat("x", lineLimit), "end"}; !slices.Equal(got, want) {
		t.Errorf("got %d lines: %.50q", len(got), got)
	}
}

// The program writes everything, in JSON, and the person sees what was asked
// for; what the program would refuse is left for it to refuse.
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
	events := []Event{
		{Kind: KindBuilt, Build: &Build{ID: 3, Mode: modeFast, Watch: 14, Compile: 80, Link: 420, Start: 60, Total: 580}},
		{Kind: KindRequest, Request: &Request{Method: "GET", Path: "/api/v1/posts", Status: 200, Took: 3.2, SQL: 12, Repeat: 10}},
		{Kind: KindRequest, Request: &Request{Method: "GET", Path: "/" + long, Status: 404, Took: 1}},
		{Kind: KindLog, Text: "time=now level=ERROR msg=oh"},
		{Kind: KindLog, Level: "ERROR", Text: "ERROR panic\n    stack:\n      one"},
		{Kind: KindLog, Text: "a\ttab " + long},
		{Kind: KindFailed, Build: &Build{ID: 4, Stage: stageBuild, Errors: []Diagnostic{{"internal/posts/posts.go", 12, 9, "undefined: " + long, "\treturn x"}}}},
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

// What a program writes cannot move the cursor, clear the screen or name the
// window, and a failure that is too long says so.
func TestScreenIsItsOwn(t *testing.T) {
	const ugly = "one \x1b[2J\x1b[3;1H\x1b[31mtwo\r\a\x1b]0;name\x07three\u202e"
	m := newScreenModel("blog", "http://127.0.0.1:8000", make(chan string, 1))
	m = m.event(Event{Kind: KindLog, Text: ugly})
	m = m.event(Event{Kind: KindTest, Test: &Test{OK: true}})
	m = m.event(Event{Kind: KindFailed, Build: &Build{Stage: stageStart, Output: ugly + strings.Repeat("\nmore", 40)}})
	view := m.View()
	if want := "one two��three�"; strings.Count(view, want) != 2 || strings.ContainsAny(ansi.Strip(view), "\x1b\r\a\u202e") || strings.Contains(view, "\x1b[2J") {
		t.Errorf("not %q twice in\n%q", want, view)
	}
	if !strings.Contains(view, "… 31 more lines, at http://127.0.0.1:8000/dev") {
		t.Errorf("it does not say that something is left out:\n%s", view)
	}
	m = m.event(Event{Kind: KindBuilt, Build: &Build{ID: 1, Mode: modeFull, Compile: 1}})
	if view := m.View(); !strings.Contains(view, "tests pass") {
		t.Errorf("no tests in\n%s", view)
	}
	var b board
	b.note(Event{Kind: KindLog, Text: ugly})
	if got := b.logs[0].Text; got != "one two��three�" {
		t.Errorf("the page shows %q", got)
	}
	if view := m.event(Event{Kind: KindChange}).View(); strings.Contains(strings.Split(view, "\n")[1], "tests pass") {
		t.Errorf("the tests of what was before in\n%s", view)
	}
}

// The feed never makes a request wait, and says what it left out.
func TestFeed(t *testing.T) {
	var out bytes.Buffer
	wait := make(chan struct{})
	show := plainWriter(&out)
	f := newFeed(func(e Event) { <-wait; show(e) })
	for range 10000 {
		f.emit(Event{Kind: KindRequest, Request: &Request{}})
	}
	close(wait)
	for deadline := time.Now().Add(patience); len(f.events) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	f.emit(Event{Kind: KindNote, Text: "the end"})
	f.close()
	f.emit(Event{Kind: KindNote, Text: "too late"})
	text := out.String()
	if !strings.Contains(text, " requests are not shown") || !strings.Contains(text, "the end") || strings.Contains(text, "too late") {
		t.Errorf("got %d bytes ending in %q", len(text), text[max(0, len(text)-200):])
	}
}

// What is run is the project around the working directory, unless another
// directory is named, and what is none is refused before anything begins.
func TestFind(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, nil, map[string]string{
		"project/go.mod": "module x\n", "project/nexios.json": "{}", "project/main.go": "package main\n",
		"project/part/deep/deep.go": "package deep\n", "project/empty/README": "",
		"broken/go.mod": "module x\n", "broken/main.go": "packag main\n", "outside/x.go": "package main\n",
	})
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, test := range []struct{ cwd, dir, found, err string }{
		{"project", "", "project", ""},
		{"project/part/deep", "", "project", ""},
		{"project/part", "..", "project", ""},
		{"project", "part/deep", "", "there is no program in " + at("project/part/deep") + "\n  package deep, not main\n  try: "},
		{"project", "empty", "", "there is no program in " + at("project/empty") + "\n  no .go file\n  try: "},
		{"broken", "", "broken", ""},
		{"outside", "", "", "there is no go.mod in " + at("outside") + "\n  "},
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
	if err := (&server{}).find(); err == nil || !strings.HasPrefix(err.Error(), "there is no go command\n  where: PATH\n  try: ") {
		t.Errorf("without go: %v", err)
	}
}

func TestUnusableAddress(t *testing.T) {
	for _, host := range []string{"198.51.100.7", "no such host"} {
		l, _, err := listen(host, 8000)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "nothing can listen at ") || strings.Count(err.Error(), "\n  ") != 2 {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// flow is a stream that notes its end.
type flow struct {
	of    *streams
	ended atomic.Bool
}

func (f *flow) end() {
	f.ended.Store(true)
	f.of.remove(f)
}

// Streams end after the answers under way, but do not wait long for them.
func TestStreamsAndAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		takes   time.Duration // of an answer under way
		streams time.Duration // when they end
		drained time.Duration
	}{
		"a short answer":   {time.Second, time.Second, time.Second},
		"a long answer":    {40 * time.Second, 10 * time.Second, 40 * time.Second},
		"an endless one":   {time.Hour, 10 * time.Second, 60 * time.Second},
		"no answer at all": {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &app{exited: make(chan struct{})}
				f := &flow{of: &a.streams}
				a.streams.add(f)
				a.requests.Go(func() { time.Sleep(c.takes) })
				begun := time.Now()
				var drained atomic.Int64
				go func() {
					a.drain(drainLimit)
					drained.Store(int64(time.Since(begun)))
				}()
				time.Sleep(c.streams - time.Millisecond)
				synctest.Wait()
				if f.ended.Load() && c.streams > 0 {
					t.Errorf("streams ended before %v", c.streams)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if !f.ended.Load() {
					t.Errorf("streams were open after %v", c.streams)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if took := time.Duration(drained.Load()); took.Round(time.Second) != c.drained {
					t.Errorf("drained after %v, want %v", took, c.drained)
				}
			})
		})
	}
}
