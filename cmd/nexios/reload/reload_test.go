package reload

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
	"github.com/nexios-go/nexios/cmd/nexios/reload/proxy"

	"github.com/gorilla/websocket"
)

// Each edit ends in the correct state without a restart of the server.
func TestEdits(t *testing.T) {
	d := startDev(t, sample())
	d.expect("one", true)

	t.Run("an edit shows in the next response", func(t *testing.T) {
		d.t = t
		d.write("part/part.go", part("two"))
		d.wait(event.KindChange)
		d.expect("two", true)
		d.wait(event.KindBuilt)
	})
	renamed := ""
	t.Run("save by rename", func(t *testing.T) {
		d.t = t
		var e event.Event
		end := time.Now().Add(patience)
		for i := 0; ; i++ {
			renamed = fmt.Sprint("renamed-", i)
			d.replace("part/part.go", part(renamed))
			e = d.wait(event.KindBuilt)
			d.expect(renamed, true)
			if e.Build.Mode == event.ModeFast || time.Now().After(end) {
				break // a slow machine has no index at first
			}
		}
		if e.Build.Mode != event.ModeFast || !slices.Equal(e.Build.Packages, []string{"sample/part", "sample"}) {
			t.Errorf("built by %s (%s): %v", e.Build.Mode, e.Build.Why, e.Build.Packages)
		}
	})
	t.Run("a syntax error", func(t *testing.T) {
		d.t = t
		d.write("part/part.go", "package part\n\nfunc Begin( {}\n")
		e := d.wait(event.KindFailed)
		want := event.Diagnostic{File: "part/part.go", Line: 3, Source: "func Begin( {}"}
		got := e.Build.Errors[0]
		if got.File != want.File || got.Line != want.Line || got.Source != want.Source {
			t.Errorf("got %+v", got)
		}
		d.expect(renamed, false)
		d.write("part/part.go", part("three"))
		d.wait(event.KindBuilt)
		d.expect("three", true)
	})
	t.Run("a type error, undone", func(t *testing.T) {
		d.t = t
		d.write("part/part.go", strings.Replace(part("three"), `"three"`, "3", 1))
		e := d.wait(event.KindFailed)
		if len(e.Build.Errors) != 1 || e.Build.Errors[0].Place() != "part/part.go:7:32" {
			t.Errorf("got %+v", e.Build)
		}
		d.expect("three", false)
		d.write("part/part.go", part("three"))
		d.wait(event.KindUnchanged, event.KindBuilt)
		d.expect("three", true)
	})
	t.Run("a panic at start", func(t *testing.T) {
		d.t = t
		d.write("part/part.go", strings.Replace(part("four"), "func Begin() {}", "func Begin() { panic(\"no luck\") }", 1))
		e := d.wait(event.KindFailed)
		if e.Build.Stage != event.StageStart || len(e.Build.Errors) != 1 || e.Build.Errors[0].Place() != "part/part.go:4" ||
			e.Build.Errors[0].Message != "panic: no luck" {
			t.Errorf("got %+v", e.Build)
		}
		d.expect("three", false)
		d.write("part/part.go", part("four"))
		d.wait(event.KindBuilt)
		d.expect("four", true)
	})
	t.Run("a file deleted and restored", func(t *testing.T) {
		d.t = t
		d.remove("part/part.go")
		d.wait(event.KindFailed)
		d.expect("four", false)
		d.write("part/part.go", part("four"))
		d.wait(event.KindBuilt, event.KindUnchanged)
		d.expect("four", true)
	})
	t.Run("a directory deleted and restored with its files", func(t *testing.T) {
		d.t = t
		old, moved := filepath.Join(d.dir, "part"), filepath.Join(t.TempDir(), "part")
		if err := os.Rename(old, moved); err != nil {
			t.Fatal(err)
		}
		d.wait(event.KindFailed)
		if err := os.WriteFile(filepath.Join(moved, "part.go"), []byte(part("five")), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(moved, old); err != nil {
			t.Fatal(err)
		}
		d.wait(event.KindBuilt)
		d.expect("five", true)
		d.write("part/part.go", part("six")) // the restored directory is watched
		d.wait(event.KindBuilt)
		d.expect("six", true)
	})
	t.Run("50 saves in a second", func(t *testing.T) {
		d.t = t
		ended := func() int { return d.count(event.KindBuilt) + d.count(event.KindFailed) + d.count(event.KindUnchanged) }
		changes, done := d.count(event.KindChange), ended()
		for i := range 50 {
			d.write("part/part.go", part(fmt.Sprint("save ", i)))
			time.Sleep(20 * time.Millisecond) // the pace is under test
		}
		d.becomes("save 49")
		d.sync()
		if changes, done := d.count(event.KindChange)-changes, ended()-done; changes > done {
			t.Errorf("%d changes were reported for %d builds", changes, done)
		}
	})
	t.Run("a new package", func(t *testing.T) {
		d.t = t
		d.write("more/more.go", "package more\n\nconst Word = \"more\"\n")
		d.write("part/part.go", "package part\n\nimport \"sample/more\"\n\nfunc Begin() {}\n\nfunc Version() string { return more.Word }\n")
		d.becomes("more")
		d.write("more/more.go", "package more\n\nconst Word = \"much more\"\n")
		d.becomes("much more")
		d.sync()
	})
	t.Run("go.mod changed", func(t *testing.T) {
		d.t = t
		d.write("go.mod", "module sample\n\ngo 1.24\n\nrequire example.com/nothing v1.0.0\n")
		d.wait(event.KindBuilt, event.KindFailed, event.KindUnchanged)
		d.write("go.mod", "modul sample\n")
		e := d.wait(event.KindFailed)
		if len(e.Build.Errors) == 0 || e.Build.Errors[0].File != "go.mod" {
			t.Errorf("got %+v", e.Build)
		}
		d.write("go.mod", "module sample\n\ngo 1.23\n")
		d.becomes("much more")
	})
	t.Run("another branch", func(t *testing.T) {
		d.t = t
		d.git("init", "-q")
		d.git("add", ".")
		d.git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "one")
		d.git("checkout", "-qb", "other")
		d.remove("more")
		d.write("part/part.go", part("other"))
		d.write("part/second.go", "package part\n")
		d.becomes("other")
		d.git("add", ".")
		d.git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "two")
		d.git("checkout", "-q", "-")
		d.becomes("much more")
		d.git("checkout", "-q", "other")
		d.becomes("other")
		d.sync()
	})
	t.Run("settings require a restart but no build", func(t *testing.T) {
		d.t = t
		d.write(".env", "APP_SECRET=x\n")
		if e := d.wait(event.KindBuilt); e.Build.Mode != event.ModeRestart {
			t.Errorf("got %+v", e.Build)
		}
		d.expect("other", true)
	})
	t.Run("files that are not part of the program", func(t *testing.T) {
		d.t = t
		before := d.count(event.KindChange)
		d.write("README.md~", "x")
		d.write("tmp/main.go", "package nothing")
		d.write("part/part_test.go", "package part")
		d.write("style.css", "p{}")
		d.wait(event.KindAssets, event.KindUnchanged)
		if n := d.count(event.KindChange) - before; n > 1 { // without an index the style sheet could be embedded
			t.Errorf("%d builds", n)
		}
	})
	d.t = t
}

func (d *dev) git(args ...string) {
	d.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// A program that does not build at first is reported, and runs once it builds.
func TestFirstBuildFails(t *testing.T) {
	d := launchDev(t, with(sample(), "part/part.go", "package part\n"))
	d.wait(event.KindFailed)
	a := d.get("/")
	if a.status != http.StatusServiceUnavailable || a.header.Get(proxy.BuildHeader) != "failed" || !strings.Contains(a.body, "main.go:") {
		t.Errorf("got %+v", a)
	}
	if page := d.get("/", "Accept", "text/html"); !strings.Contains(page.body, proxy.ScriptPath) {
		t.Errorf("got %+v", page)
	}
	d.write("part/part.go", part("mended"))
	d.wait(event.KindBuilt)
	d.expect("mended", true)
}

// A program that exits on its own is restarted, but not in a loop.
func TestCrash(t *testing.T) {
	d := startDev(t, sample())
	started := time.Now()
	for time.Since(started) < crashPause+100*time.Millisecond {
		time.Sleep(10 * time.Millisecond) // only a version that has run for a while is restarted
	}
	if a := d.get("/crash"); a.status != http.StatusBadGateway {
		t.Errorf("got %+v", a)
	}
	d.wait(event.KindExit)
	d.wait(event.KindBuilt)
	d.expect("one", true)
	d.get("/crash")
	d.wait(event.KindExit)
	if a := d.get("/"); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "exit status 3") {
		t.Errorf("got %+v", a)
	}
	d.write("part/part.go", part("two"))
	d.wait(event.KindBuilt)
	d.expect("two", true)
}

// Without a user to ask, the next free port is used and reported, unless the port was
// given as a number.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	files := with(sample(), ".env", fmt.Sprintf("ADDR=127.0.0.1:%d\n", port))
	d := launchDev(t, files, func(o *Options) { o.Port = 0 })
	note := d.wait(event.KindNote).Text
	if !strings.Contains(note, fmt.Sprintf("port %d is taken by", port)) || strings.HasSuffix(d.url, fmt.Sprint(":", port)) ||
		!strings.Contains(note, fmt.Sprintf("(process %d); listening at", os.Getpid())) {
		t.Errorf("at %s: %s", d.url, note)
	}
	d.wait(event.KindBuilt)
	d.expect("one", true)

	asked := launchDev(t, sample(), func(o *Options) { o.Port, o.Yes = port, true })
	asked.wait(event.KindBuilt) // next to the other server
	asked.expect("one", true)

	question := ""
	agrees := launchDev(t, sample(), func(o *Options) {
		o.Port, o.Ask = port, func(q string) error { question = q; return nil }
	})
	if _, next, _ := strings.Cut(agrees.url, "127.0.0.1:"); !strings.Contains(question, "Listen at "+next+" instead?") {
		t.Errorf("at %s: %s", agrees.url, question)
	}

	never := errors.New("no")
	for _, test := range []struct {
		get  func(string) error
		want string
	}{
		{nil, fmt.Sprintf("(process %d)\n  try: nexios dev --port ", os.Getpid())},
		{func(string) error { return never }, "no"},
	} {
		err := Run(t.Context(), Options{Dir: d.dir, Port: port, Ask: test.get, Stdout: io.Discard})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

var reloads = flag.Int("reloads", 4, "reloads under load; 30 before a release")

// 200 requests a second through several reloads: none is rejected or fails, none waits
// for more than one build, and once an edit has been seen, none is served by the
// version before it.
func TestLoad(t *testing.T) {
	d := startDev(t, sample())
	stop := make(chan struct{})
	var done, failed, reloaded atomic.Int64
	var slowest atomic.Int64
	var senders sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	senders.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			senders.Go(func() {
				start, before := time.Now(), reloaded.Load()
				method, body := http.MethodGet, io.Reader(nil)
				if done.Load()%3 == 0 {
					method, body = http.MethodPost, strings.NewReader("x")
				}
				req, err := http.NewRequest(method, d.url+"/", body)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := client.Do(req)
				done.Add(1)
				if err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Errorf("%d, %v", res.StatusCode, err)
				}
				// Two reloads are counted if it arrived at the end of one.
				if waited := reloaded.Load() - before; waited > 2 {
					t.Errorf("a request waited for %d reloads", waited)
				}
				for took := int64(time.Since(start)); ; {
					old := slowest.Load()
					if took <= old || slowest.CompareAndSwap(old, took) {
						return
					}
				}
			})
		}
	})
	longest := 0.0
	for i := range *reloads {
		version := fmt.Sprint("load ", i)
		d.write("part/part.go", part(version))
		d.wait(event.KindChange)
		d.expect(version, true)
		longest = max(longest, d.wait(event.KindBuilt).Build.Total)
		reloaded.Add(1)
	}
	close(stop)
	senders.Wait()
	t.Logf("%d requests, %d failed, slowest %v, longest reload %s", done.Load(), failed.Load(), time.Duration(slowest.Load()), event.Duration(longest))
}

// Requests in progress are finished by the version that received them; streams and
// WebSockets are closed properly.
func TestDrain(t *testing.T) {
	d := startDev(t, sample(), func(o *Options) { o.drain = time.Hour })
	socket, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(d.url, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if _, text, err := socket.ReadMessage(); err != nil || string(text) != "hi" {
		t.Fatalf("%q, %v", text, err)
	}
	events, err := http.Get(d.url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	body, upload := io.Pipe()
	response := make(chan string, 1)
	go func() {
		res, err := http.Post(d.url+"/upload", "text/plain", body)
		if err != nil {
			response <- err.Error()
			return
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		response <- fmt.Sprint(string(text), err)
	}()
	if _, err := io.WriteString(upload, "half"); err != nil {
		t.Fatal(err)
	}
	for d.wait(event.KindLog).Text != "upload" {
	}
	d.write("part/part.go", part("two"))
	d.wait(event.KindBuilt)
	d.expect("two", true)
	if _, err := io.WriteString(upload, "half"); err != nil {
		t.Fatal(err)
	}
	upload.Close()
	if got := <-response; got != "8 <nil>one<nil>" {
		t.Errorf("response to the request in progress: %s", got)
	}
	_ = socket.SetReadDeadline(time.Now().Add(patience))
	_, _, err = socket.ReadMessage()
	if closed, ok := errors.AsType[*websocket.CloseError](err); !ok || closed.Code != websocket.CloseServiceRestart {
		t.Errorf("WebSocket: %v, want code 1012", err)
	}
	if body, err := io.ReadAll(events.Body); err != nil || string(body) != "data: one\n\n" {
		t.Errorf("event stream: %q, %v", body, err)
	}
}

func TestPages(t *testing.T) {
	files := with(sample(), ".env", "APP_SECRET=hidden-thing\nDATABASE_URL=postgres://me:hidden-word@db/blog\n")
	d := startDev(t, files, func(o *Options) { o.Env = append(os.Environ(), "APP_ENV=test") })
	page := d.get("/page", "Accept", "text/html,*/*", "If-None-Match", `"one"`)
	host := strings.TrimPrefix(d.url, "http://")
	if !strings.Contains(page.body, `<script src="/__nexios/reload.js?v=`) || !strings.Contains(page.body, `nonce="abc"`) ||
		page.header.Get("ETag") != "" || page.header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(page.header.Get("Content-Security-Policy"), "script-src 'nonce-abc' http://"+host+proxy.ScriptPath) {
		t.Errorf("got %+v", page)
	}
	for _, headers := range [][]string{
		{"Accept", "application/json"},
		{"Accept", "text/html", "HX-Request", "true"},
		{"Accept", "text/html", "Sec-Fetch-Dest", "empty"},
	} {
		if piece := d.get("/page", headers...); strings.Contains(piece.body, "script") || piece.header.Get("ETag") == "" {
			t.Errorf("%v: got %+v", headers, piece)
		}
	}
	if env := d.get("/env"); env.body != "test" {
		t.Errorf("APP_ENV is %q", env.body)
	}
	forged := []string{"X-Forwarded-For", "203.0.113.9, 127.0.0.1", "X-Forwarded-Proto", "https", "Forwarded", "for=203.0.113.9"}
	if who := d.get("/client", forged...); who.body != "[127.0.0.1] [http] []127.0.0.1" {
		t.Errorf("client as seen by the program: %s", who.body)
	}
	if script := d.get(proxy.ScriptPath); script.status != http.StatusOK || !strings.Contains(script.body, "WebSocket") {
		t.Errorf("got %+v", script)
	}
	d.expect("one", true)
	board := d.get("/dev")
	if board.status != http.StatusOK || !strings.Contains(board.body, "/page") || strings.Contains(board.body, "hidden") ||
		!strings.Contains(board.body, "APP_SECRET") || !strings.Contains(board.body, "db/blog") {
		t.Errorf("got %d\n%s", board.status, board.body)
	}
	for _, headers := range [][]string{
		{"Host", "evil.example"}, {"Host", "evil.example:8000"}, {"Host", "192.168.1.7:8000"}, {"X-Forwarded-For", "1.2.3.4"},
	} {
		if a := d.get("/dev", headers...); a.status != http.StatusForbidden {
			t.Errorf("%v: got %d", headers, a.status)
		}
	}
	// Nor the development pages of the program, which sees the proxy as the client.
	for status, headers := range map[int][]string{http.StatusOK: nil, http.StatusForbidden: {"X-Forwarded-For", "1.2.3.4"}} {
		if a := d.get("/dev/mail", headers...); a.status != status {
			t.Errorf("/dev/mail with %v: got %d", headers, a.status)
		}
	}
	if a := d.get(proxy.ScriptPath, "Host", "evil.example"); a.status != http.StatusForbidden {
		t.Errorf("the script with a foreign Host: got %d", a.status)
	}
	if _, _, err := websocket.DefaultDialer.Dial("ws://"+host+proxy.LivePath, http.Header{"Origin": {"http://evil.example"}}); err == nil {
		t.Error("a page of another origin could connect")
	}
	live, _, err := websocket.DefaultDialer.Dial("ws://"+host+proxy.LivePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	waitFor := func(state string) proxy.Status {
		t.Helper()
		for {
			var s proxy.Status
			_ = live.SetReadDeadline(time.Now().Add(patience))
			if err := live.ReadJSON(&s); err != nil {
				t.Fatal(err)
			}
			if s.State == state {
				return s
			}
		}
	}
	before := waitFor("ok").Version
	d.write("part/part.go", "package part\n")
	if s := waitFor("failed"); len(s.Build.Errors) == 0 || s.Version != before {
		t.Errorf("got %+v", s)
	}
	d.write("part/part.go", part("two"))
	if s := waitFor("ok"); s.Version == before {
		t.Errorf("got %+v", s)
	}
	d.write("site.css", "p{}")
	if s := waitFor("ok"); !slices.Equal(s.Assets, []string{"site.css"}) {
		t.Errorf("got %+v", s)
	}
}

// Statements and log records of a request are reported with it, escaped.
func TestRequestStatements(t *testing.T) {
	d := startDev(t, sample())
	d.get("/sql", "X-Request-Id", "mine-1")
	r := d.wait(event.KindRequest).Request
	if r.ID != "mine-1" || r.SQL != 11 || r.Repeat != 10 || len(r.Statements) != 2 || len(r.Logs) != 2 {
		t.Fatalf("got %+v", r)
	}
	if s := r.Statements[0]; s.Query != "SELECT <b> FROM things WHERE id = ?" || s.Count != 10 || s.Took != 10 || s.Rows != 10 || s.Failed {
		t.Errorf("got %+v", s)
	}
	if s := r.Statements[1]; s.Count != 1 || s.Took != 1000 || !s.Failed {
		t.Errorf("got %+v", s)
	}
	var shown []string // in the terminal
	d.mu.Lock()
	for _, e := range d.all {
		if e.Kind == event.KindLog && e.RequestID == "mine-1" {
			shown = append(shown, e.Text)
		}
	}
	d.mu.Unlock()
	if want := []string{"WARN  look  at=<i>this</i>\n    stack:\n      one\n      two"}; !slices.Equal(shown, want) {
		t.Errorf("shown: %q", shown)
	}
	for _, id := range []string{"", "no id", process.OwnRequest, strings.Repeat("x", 200)} {
		d.get("/sql", "X-Request-Id", id)
		if r := d.wait(event.KindRequest).Request; r.ID == id || r.SQL != 11 {
			t.Errorf("%q: got %+v", id, r)
		}
	}
	page := d.get("/dev").body
	for _, want := range []string{"N+1? ×10", "11 SQL", "SELECT &lt;b&gt; FROM things", "DELETE FROM things", "&lt;i&gt;this&lt;/i&gt;", "only of use to the request", "mine-1"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

// No process survives when the server is killed.
func TestKilled(t *testing.T) {
	t.Run("without dlv", func(t *testing.T) { killed(t) })
	t.Run("with dlv", func(t *testing.T) {
		installDlv(t)
		killed(t, "RELOAD_TEST_DELVE=1")
	})
}

func killed(t *testing.T, env ...string) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lay(t, dir, nil, sample())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "RELOAD_TEST_DEV="+dir, "XDG_CACHE_HOME="+t.TempDir())
	cmd.Env = append(cmd.Env, env...)
	for _, pair := range os.Environ() { // do not rebuild what is cached
		if strings.HasPrefix(pair, "GOCACHE=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	if out, err := exec.Command("go", "env", "GOCACHE").Output(); err == nil {
		cmd.Env = append(cmd.Env, "GOCACHE="+strings.TrimSpace(string(out)))
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	pid := 0
	built := false
	for s := bufio.NewScanner(out); !built && s.Scan(); {
		var e event.Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if text, ok := strings.CutPrefix(e.Text, "process "); ok {
			if pid, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
		built = e.Kind == event.KindBuilt
	}
	if pid == 0 || !process.Alive(pid) {
		t.Fatalf("the program is not running: %d", pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); process.Alive(pid) && !zombie(pid); {
		if time.Now().After(deadline) {
			t.Fatal("the program is still running")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// zombie reports whether a process is only waiting to be reaped: in some containers
// init does not do that.
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(rest, "Z")
}

// A go command that a newer change cancels is killed, and leaves nothing in the
// temporary directory.
func TestCancelledBuildsLeaveNoFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the build is delayed by a shell script")
	}
	own, temp := t.TempDir(), t.TempDir()
	hold, held, tool := filepath.Join(own, "hold"), filepath.Join(own, "held"), filepath.Join(own, "tool")
	script := fmt.Sprintf(`#!/bin/sh
if [ -e %s ] && [ "$2" != -V=full ]; then
	echo >%s
	while [ -e %[1]s ]; do sleep 0.01; done
fi
exec "$@"
`, hold, held)
	if err := os.WriteFile(tool, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "-toolexec="+tool) // only the go command can build with it
	t.Setenv("TMPDIR", temp)
	d := startDev(t, sample())
	if err := os.WriteFile(hold, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d.write("part/part.go", part("two"))
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(held); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the build did not start")
		}
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	d.write("part/part.go", part("three"))
	d.becomes("three")
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("files left: %v, %v", left, err)
	}
}

// The start of tests is reported, and when a newer change stops them.
func TestTestEvents(t *testing.T) {
	held := filepath.Join(t.TempDir(), "held")
	waits := fmt.Sprintf("package part\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestWait(t *testing.T) {\n\tos.WriteFile(%q, nil, 0o600)\n\tselect {}\n}\n", held)
	d := startDev(t, with(sample(), "part/part_test.go", waits), func(o *Options) { o.Test = true })
	d.write("part/part.go", part("two"))
	expectNote := func(text string) {
		t.Helper()
		for d.wait(event.KindNote).Text != text {
		}
	}
	if e := d.wait(event.KindNote); e.Text != "testing ./part" { // rather than that there is nothing to test
		t.Errorf("unexpected note: %s", e.Text)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(held); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the tests did not start")
		}
	}
	d.write("part/part_test.go", "package part\n")
	d.write("part/part.go", part("three"))
	expectNote("the tests of ./part were stopped by a newer change")
	if e := d.wait(event.KindTest); !e.Test.OK {
		t.Errorf("unexpected event: %s", describe(e))
	}
}

// A browser that cannot be opened is reported, also if the opening program fails.
func TestNoBrowser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems use other programs")
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	d := startDev(t, sample(), func(o *Options) { o.Open = true })
	if e := d.wait(event.KindNote); e.Text != "cannot open a browser; open "+d.url {
		t.Errorf("unexpected note: %s", e.Text)
	}
}

// Quitting with a key shows what it waits for, and ctrl-c cuts the wait short.
func TestQuitTwice(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lay(t, dir, nil, sample())
	in, keys := io.Pipe()
	defer keys.Close()
	screen := &terminal{t: t, keys: keys}
	port := freePort(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Dir: dir, Host: "127.0.0.1", Port: port, Show: ShowScreen, Stdin: in, Stdout: screen})
	}()
	screen.shows("version 1 runs")
	slow, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/slow", port))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	screen.press(keyQuit)
	screen.shows("waiting for requests in progress; press ctrl-c to cut them off")
	interrupt()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if body, err := io.ReadAll(slow.Body); err == nil {
		t.Errorf("the slow request was not cut off: %q", body)
	}
}

// A connection without a request, as browsers open in advance, does not delay quitting.
func TestQuitWithIdleConnection(t *testing.T) {
	d := startDev(t, sample())
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	d.get("/") // on a later connection, so the server has accepted both
	d.quit()
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.ended {
		d.cond.Wait()
	}
	for _, e := range d.all {
		if strings.Contains(e.Text, "waiting for requests") {
			t.Error(e.Text)
		}
	}
}

// A project directory that is moved away is reported, and found again once it is back.
func TestProjectMoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot move a watched directory")
	}
	above := t.TempDir()
	dir := filepath.Join(above, "here")
	lay(t, dir, nil, sample())
	d := startDev(t, nil, func(o *Options) { o.Dir = dir })
	d.dir = dir
	if err := os.Rename(dir, filepath.Join(above, "there")); err != nil {
		t.Fatal(err)
	}
	if e := d.wait(event.KindFailed); !strings.HasPrefix(e.Build.Output, "the directory of the program is gone: ") {
		t.Errorf("got %s", describe(e))
	}
	if err := os.Rename(filepath.Join(above, "there"), dir); err != nil {
		t.Fatal(err)
	}
	d.write("part/part.go", part("two"))
	d.becomes("two")
}
