package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	system "runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/nexios-go/nexios/e2e/axe"
	"github.com/nexios-go/nexios/e2e/services"
)

// devEvent is the part of a line of `nexios dev --json` that the tests read.
type devEvent struct {
	Event, Text, URL string
	Request          struct {
		Method, Path string
		Status       int
		SQL, Repeats int
		Logs         []string
		Statements   []struct {
			Query string
			Count int
		}
	}
}

// devServer is a running `nexios dev`. Its server sends requests through it.
type devServer struct {
	server
	project project
	mu      sync.Mutex
	events  []devEvent
}

var copyRuntime sync.Once

// dev runs `nexios dev` until the test ends and waits for the first build.
func (p project) dev() *devServer {
	p.t.Helper()
	// Compiling the runtime depends on its path: one copy serves all tests.
	shared := filepath.Join(filepath.Dir(tool), "runtime")
	copyRuntime.Do(func() {
		if err := os.CopyFS(shared, os.DirFS(filepath.Join(p.dir, ".nexios"))); err != nil {
			p.t.Fatal(err)
		}
	})
	p.run("go", "mod", "edit", "-replace=github.com/nexios-go/nexios="+shared)
	d := &devServer{project: p}
	cmd := exec.Command(tool, "dev", "--json", "--port", "0")
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off"), p.env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for dec := json.NewDecoder(out); ; {
			var e devEvent
			if err := dec.Decode(&e); err != nil {
				if err != io.EOF {
					p.t.Errorf("output: %v", err)
				}
				return
			}
			d.mu.Lock()
			d.events = append(d.events, e)
			d.mu.Unlock()
		}
	}()
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		force := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		defer force.Stop()
		<-over
		_ = cmd.Wait()
	})
	d.url = d.wait("listening", func(e devEvent) bool { return e.Event == "listening" }).URL
	d.addr = strings.TrimPrefix(d.url, "http://")
	d.t = p.t
	d.wait("a version", func(e devEvent) bool { return e.Event == "built" })
	return d
}

// wait returns the last event for which so is true.
func (d *devServer) wait(what string, so func(devEvent) bool) (found devEvent) {
	d.project.t.Helper()
	eventually(d.project.t, 3*time.Minute, what, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, e := range d.events {
			if so(e) {
				found = e
			}
		}
		return found.Event != ""
	})
	return found
}

// request waits until the request is reported.
func (d *devServer) request(method, path string) devEvent {
	d.project.t.Helper()
	return d.wait(method+" "+path, func(e devEvent) bool { return e.Request.Method == method && e.Request.Path == path })
}

// TestDevCleansUp ends `nexios dev` by closing its terminal and by closing the pipe that
// it writes to: no build output remains.
func TestDevCleansUp(t *testing.T) {
	t.Parallel()
	if system.GOOS == "windows" {
		t.Skip("Windows has neither signal")
	}
	// Under nohup the test would pass on the ignored signal.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	p := newProject(t, "shop")
	gocache := strings.TrimSpace(p.run("go", "env", "GOCACHE"))
	for _, test := range []struct {
		name string
		end  func(dev *os.Process, out io.Closer) error
	}{
		{"terminal", func(dev *os.Process, _ io.Closer) error { return dev.Signal(syscall.SIGHUP) }},
		{"pipe", func(_ *os.Process, out io.Closer) error { return out.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cache := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, tool, "dev", "--json", "--port", "0")
			cmd.Dir = p.dir
			cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOCACHE="+gocache, "XDG_CACHE_HOME="+cache)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 1)); err != nil { // it listens, and builds
				t.Fatal(err)
			}
			if err := test.end(cmd.Process, out); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, out); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if left, err := filepath.Glob(filepath.Join(cache, "nexios", "dev", "*")); err != nil || len(left) > 0 {
				t.Errorf("left: %q, %v", left, err)
			}
		})
	}
}

const listOfPosts = "	return db.List[model.Post](tx, in.Query, in.Sort)\n"

// onePerRow replaces the list of posts by one with a query per row.
const onePerRow = `	page, err := db.List[model.Post](tx, in.Query, in.Sort)
	for _, post := range page.Items {
		if _, err := db.Find[model.User](h.db.WithContext(c), post.UserID); err != nil {
			return page, err
		}
	}
	return page, err
`

// TestDevShowsRequests checks that a query per row is reported, and that the page at /dev
// shows the program's activity, only to this machine.
func TestDevShowsRequests(t *testing.T) {
	t.Parallel()
	p := newProject(t, "blog", "--preset", "guide")
	const file = "internal/posts/posts.go"
	good := p.read(file)
	if strings.Count(good, listOfPosts) != 1 {
		t.Fatalf("unexpected list of posts:\n%s", good)
	}
	p.write(file, strings.Replace(good, listOfPosts, onePerRow, 1))
	d := p.dev()

	anna := d.register("anna")
	for range 7 {
		anna.post(apiBase+"/posts", map[string]any{"title": "One of seven", "content": "text"}).want(201)
	}
	anna.get(apiBase + "/posts?limit=50").want(200)
	list := d.request("GET", apiBase+"/posts?limit=50").Request
	if list.SQL < 8 || list.Repeats != 7 {
		t.Errorf("the list ran %d statements, one of them %d times", list.SQL, list.Repeats)
	}
	if create := d.request("POST", apiBase+"/posts").Request; create.SQL == 0 || create.Repeats > 1 || !strings.HasPrefix(create.Statements[0].Query, "INSERT INTO `posts`") {
		t.Errorf("a post took %+v", create)
	}
	if login := d.request("POST", apiBase+"/auth/login").Request; len(login.Logs) == 0 || !strings.Contains(login.Logs[0], "event=login") {
		t.Errorf("the log of the login is %q", login.Logs)
	}
	d.join(t, anna, "lobby")
	d.join(t, anna, "lobby")
	eventually(t, 20*time.Second, "the welcome mail", func() bool {
		return strings.Contains(string(d.client().get("/dev/mail").want(200).body), "Welcome, anna")
	})
	page := string(d.client().get("/dev").want(200).body)
	for _, want := range []string{
		"N+1? ×7", "SELECT * FROM `users` WHERE (`users`.`id` = ?) AND `users`.`id` = ? LIMIT ?", "event=login", // requests
		"Jobs", "mail.welcome", "1 done", "Mail", "Welcome, anna", `href="/dev/mail/2`, // panels
		"WebSocket: chat", "connections: 2, rooms: 1", "lobby", "APP_SECRET", "/api/v1/posts/:id", ">(open)<", // the remainder
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	anna.get(apiBase + "/posts/1").want(200)
	d.request("GET", apiBase+"/posts/1") // all earlier events have been read then
	d.mu.Lock()
	for _, e := range d.events {
		if e.Event == "log" && (strings.Contains(e.Text, "statement") || strings.HasPrefix(e.Text, "{") || strings.Contains(e.Text, "/dev/jobs")) {
			t.Errorf("the terminal shows %s", e.Text)
		}
	}
	d.mu.Unlock()
	for line := range strings.Lines(p.read(".env")) {
		if secret, ok := strings.CutPrefix(strings.TrimSpace(line), "APP_SECRET="); ok && (secret == "" || strings.Contains(page, secret)) {
			t.Errorf("the page shows the secret %q", secret)
		}
	}
	for _, path := range []string{"/dev", "/dev/jobs", "/dev/mail", "/dev/rooms/chat"} {
		for _, host := range []string{"evil.example:8000", "192.168.1.7"} {
			if a := d.client().with("Host", host).get(path); a.status != 403 {
				t.Errorf("%s with Host %s: %d", path, host, a.status)
			}
		}
	}

	broken := strings.Replace(good, "func (h handler) list(", "func (h handler) list(undefinedType, ", 1)
	d.look(t, anna, func() { p.write(file, broken) }, func() { p.write(file, good) })
}

// look opens the page at /dev in a browser, and the home page while the source does not
// build. SCREENSHOTS names a directory for screenshots of both.
func (d *devServer) look(t *testing.T, u user, spoil, mend func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(services.Browser(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.WindowSize(1400, 900))...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	var mu sync.Mutex
	var complaints []string
	err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			complaints = append(complaints, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	until := func(what, so string) {
		t.Helper()
		eventually(t, time.Minute, what, func() bool {
			yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](so))
			return err == nil && yes // the page may be reloading
		})
	}
	picture := func(name string) {
		t.Helper()
		dir := os.Getenv("SCREENSHOTS")
		if dir == "" {
			return
		}
		image, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}

	axe := axe.Load(t, "testdata/openapi")
	const many = `[...document.querySelectorAll("details")].find((e) => e.textContent.includes("N+1?"))`
	do(chromedp.Navigate(d.url + "/dev"))
	until("the marked request", "!!"+many)
	until("its statements", `((e) => { e.open = true; return e.querySelector("table").checkVisibility() })(`+many+`)`)
	picture("dev-light")
	// The page updates live, and open details stay open.
	u.get("/nothing/of/the/kind").want(404)
	until("a new request", `document.querySelector("main").textContent.includes("/nothing/of/the/kind")`)
	until("the open one", many+`.open`)
	for _, scheme := range []string{"dark", "light"} {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		if err != nil {
			t.Fatal(err)
		}
		axe.Check(t, ctx, "/dev, "+scheme)
		if scheme == "dark" {
			picture("dev-dark")
		}
	}
	do(chromedp.EmulateViewport(360, 800))
	until("nothing reaches beyond a telephone", `document.documentElement.scrollWidth <= innerWidth &&
		[...document.querySelectorAll("section, .long")].every((e) => e.scrollWidth <= e.clientWidth)`)
	axe.Check(t, ctx, "/dev on a telephone")
	picture("dev-phone")
	do(chromedp.Navigate(d.url + "/dev/mail"))
	until("the list of mails does not reach beyond a telephone", `document.documentElement.scrollWidth <= innerWidth`)
	axe.Check(t, ctx, "/dev/mail on a telephone")
	picture("mails-phone")
	do(chromedp.Click(chromedp.CSS("main a")))
	until("the mail", `!!document.querySelector("iframe")`)
	until("nothing of the mail reaches beyond a telephone", `document.documentElement.scrollWidth <= innerWidth`)
	axe.Check(t, ctx, "a mail on a telephone")
	picture("mail-phone")
	do(chromedp.EmulateViewport(1400, 900))
	axe.Check(t, ctx, "a mail")
	picture("mail")
	do(chromedp.Navigate(d.url + "/dev/mail"))
	picture("mails")

	do(chromedp.Navigate(d.url + "/"))
	spoil()
	until("the overlay", `document.querySelector("nexios-overlay")?.shadowRoot.textContent.includes("internal/posts/posts.go:")`)
	picture("overlay")
	axe.Check(t, ctx, "the overlay")
	do(chromedp.EmulateViewport(390, 800))
	axe.Check(t, ctx, "the overlay on a telephone")
	picture("overlay-phone")
	mend()
	until("its end", `!document.querySelector("nexios-overlay")`)
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		t.Errorf("errors in the browser console: %q", complaints)
	}
}
