package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests named TestContract define what the guide project guarantees over HTTP and on
// its command line. They use its binary, not its code.

var guideBinary = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(tool), "contract")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, step := range []struct {
		dir  string
		args []string
	}{
		{dir, []string{tool, "new", "blog", "--preset", "guide", "--no-git"}},
		{filepath.Join(dir, "blog"), []string{"go", "build", "-o", filepath.Join(dir, "blog.exe"), "."}},
	} {
		cmd := exec.Command(step.args[0], step.args[1:]...)
		cmd.Dir, cmd.Env = step.dir, append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly -trimpath -ldflags=-s", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", strings.Join(step.args, " "), err, out)
		}
	}
	return filepath.Join(dir, "blog.exe"), nil
})

// blog is the guide's binary in its own folder, with its own settings.
type blog struct {
	t   testing.TB
	exe string
	dir string
	env []string
}

// newBlog returns a blog without a rate limit and with an empty SQLite file; settings are
// added to that.
func newBlog(t testing.TB, settings ...string) blog {
	t.Helper()
	exe, err := guideBinary()
	if err != nil {
		t.Fatal(err)
	}
	return blog{t: t, exe: exe, dir: t.TempDir(), env: append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "APP_ENV=test", "ADDR=127.0.0.1:0", "RATE_LIMIT=off",
		"APP_SECRET=" + rand.Text() + rand.Text(), "SMTP_URL=file:mail",
	}, settings...)}
}

// command runs one command of the binary.
func (b blog) command(stdin string, args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.exe, args...)
	var out, problems bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = b.dir, b.env, strings.NewReader(stdin), &out, &problems
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// server is a running blog.
type server struct {
	blog
	url     string
	addr    string
	process *exec.Cmd
	ended   chan error
	log     *lockedBuffer
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedBuffer) write(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var listening = regexp.MustCompile(`listening.*?addr"?[=:]"?([0-9.:\[\]]+)`)

// serve starts the blog and waits until it responds; it stops with the test.
func (b blog) serve() *server {
	b.t.Helper()
	s := b.start()
	eventually(b.t, 10*time.Second, "readiness", func() bool { return s.try("GET", "/readyz", nil).status == 200 })
	return s
}

// start starts the blog and waits until it listens; it stops with the test.
func (b blog) start() *server {
	b.t.Helper()
	s := &server{blog: b, ended: make(chan error, 1), log: &lockedBuffer{}}
	s.process = exec.Command(b.exe)
	s.process.Dir, s.process.Env = b.dir, b.env
	stderr, err := s.process.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		b.t.Fatal(err)
	}
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			s.log.write(lines.Text())
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
		s.ended <- s.process.Wait()
	}()
	b.t.Cleanup(func() {
		_ = s.process.Process.Kill()
		if b.t.Failed() {
			text := s.log.String()
			b.t.Logf("log:\n%s", text[max(0, len(text)-3000):])
		}
	})
	select {
	case s.addr = <-found:
	case err := <-s.ended:
		b.t.Fatalf("cannot start: %v\n%s", err, s.log)
	case <-time.After(20 * time.Second):
		b.t.Fatalf("not listening after 20 s:\n%s", s.log)
	}
	s.url = "http://" + s.addr
	return s
}

// guideServer starts a newBlog.
func guideServer(t testing.TB, settings ...string) *server {
	t.Helper()
	return newBlog(t, settings...).serve()
}

// eventually waits until so returns true.
func eventually(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within %s", what, limit)
		}
	}
}

// logs waits until the log contains all texts: a response may arrive before its log lines.
func (s *server) logs(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		eventually(s.t, 10*time.Second, text+" in the log", func() bool { return strings.Contains(s.log.String(), text) })
	}
}

// client sends requests with its own headers.
type client struct {
	t      testing.TB
	ctx    context.Context
	url    string
	header http.Header
}

// response is the response to a request, or its error.
type response struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
	err    error
}

// transport does not request compression, and does not keep cookies.
var transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 50}

func (s *server) client() client {
	return client{t: s.t, ctx: context.Background(), url: s.url, header: http.Header{}}
}

func (s *server) try(method, path string, body any) response {
	return s.client().do(method, path, body)
}

// of returns the same client for a subtest.
func (c client) of(t testing.TB) client { c.t = t; return c }

// with returns a client that sends additional headers; "Host" sets the host.
func (c client) with(pairs ...string) client {
	c.header = c.header.Clone()
	for i := 0; i < len(pairs); i += 2 {
		c.header.Set(pairs[i], pairs[i+1])
	}
	return c
}

func (c client) as(token string) client { return c.with("Authorization", "Bearer "+token) }

// raw is a body that is sent unchanged, without a content type.
type raw string

// do sends a request: a string body is JSON text, nil is no body, and anything else is
// encoded as JSON.
func (c client) do(method, path string, body any) response {
	c.t.Helper()
	var reader io.Reader
	header := c.header.Clone()
	switch b := body.(type) {
	case nil:
	case raw:
		reader = strings.NewReader(string(b))
	case string:
		reader = strings.NewReader(b)
	case io.Reader:
		reader = b
	default:
		text, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	if _, unsaid := body.(raw); body != nil && !unsaid && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	a := response{t: c.t, what: method + " " + path}
	r, err := http.NewRequestWithContext(c.ctx, method, c.url+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = header
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.status, a.header = response.StatusCode, response.Header
	a.body, a.err = io.ReadAll(response.Body)
	return a
}

func (c client) get(path string) response             { c.t.Helper(); return c.do("GET", path, nil) }
func (c client) post(path string, body any) response  { c.t.Helper(); return c.do("POST", path, body) }
func (c client) put(path string, body any) response   { c.t.Helper(); return c.do("PUT", path, body) }
func (c client) patch(path string, body any) response { c.t.Helper(); return c.do("PATCH", path, body) }
func (c client) delete(path string) response          { c.t.Helper(); return c.do("DELETE", path, nil) }

// want ends the test unless the response has one of the statuses.
func (a response) want(status ...int) response {
	a.t.Helper()
	for _, s := range status {
		if a.err == nil && a.status == s {
			return a
		}
	}
	a.t.Fatalf("%s: %d, want %v; %v\n%.2000s", a.what, a.status, status, a.err, a.body)
	return a
}

// json returns the response's object.
func (a response) json() map[string]any {
	a.t.Helper()
	var object map[string]any
	if err := json.Unmarshal(a.body, &object); err != nil {
		a.t.Fatalf("%s: not an object: %v\n%.500s", a.what, err, a.body)
	}
	return object
}

func (a response) text(name string) string { a.t.Helper(); s, _ := a.json()[name].(string); return s }

func (a response) number(name string) int {
	a.t.Helper()
	n, _ := a.json()[name].(float64)
	return int(n)
}

// items returns the rows of a list.
func (a response) items() []map[string]any {
	a.t.Helper()
	list, ok := a.json()["items"].([]any)
	if !ok {
		a.t.Fatalf("%s: items is no list: %.300s", a.what, a.body)
	}
	rows := make([]map[string]any, len(list))
	for i := range list {
		rows[i], _ = list[i].(map[string]any)
	}
	return rows
}

// fault returns how a response differs from the common form of errors.
func (a response) fault(status int) string {
	if a.err != nil {
		return a.err.Error()
	}
	var shape map[string]any
	if err := json.Unmarshal(a.body, &shape); err != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		return fmt.Sprintf("%d, no JSON object: %s %.300s", a.status, a.header.Get("Content-Type"), a.body)
	}
	text, _ := shape["error"].(string)
	id, _ := shape["request_id"].(string)
	if a.status != status || shape["code"] != float64(status) || text == "" || id == "" || id != a.header.Get("X-Request-Id") {
		return fmt.Sprintf("%d with %.300s", a.status, a.body)
	}
	return ""
}

// wantFault ends the test unless the response is an error of that status and text, in the
// common form; an empty text matches any.
func (a response) wantFault(status int, text string) response {
	a.t.Helper()
	if wrong := a.fault(status); wrong != "" {
		a.t.Fatalf("%s: want an error %d: %s", a.what, status, wrong)
	}
	if text != "" && a.text("error") != text {
		a.t.Fatalf("%s: error %q, want %q", a.what, a.text("error"), text)
	}
	return a
}

// fields returns the fields named in details, sorted and without duplicates.
func (a response) fields() string {
	a.t.Helper()
	details, _ := a.json()["details"].([]any)
	var names []string
	for _, d := range details {
		d, _ := d.(map[string]any)
		for _, key := range []string{"field", "rule", "message"} {
			if text, _ := d[key].(string); text == "" {
				a.t.Errorf("%s: a detail without %s: %v", a.what, key, d)
			}
		}
		if name, _ := d["field"].(string); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// goodPassword satisfies the password policy.
const goodPassword = "Correct-Horse-7"

const apiBase = "/api/v1"

func registration(username string) map[string]any {
	return map[string]any{"username": username, "email": username + "@example.com", "password": goodPassword}
}

// user is a logged-in user.
type user struct {
	client
	id     int
	name   string
	token  string
	cookie string // refresh_token=...
}

// register creates a user and logs in.
func (s *server) register(name string) user {
	s.t.Helper()
	id := s.client().post(apiBase+"/users", registration(name)).want(201).number("id")
	u := s.login(name, goodPassword)
	u.id = id
	return u
}

// admin creates an administrator by the command and logs in.
func (s *server) admin(name string) user {
	s.t.Helper()
	out, problems, code := s.command(goodPassword+"\n", "user", "create", "--username", name, "--email", name+"@example.com", "--admin")
	if code != 0 {
		s.t.Fatalf("user create: exit %d\n%s%s", code, out, problems)
	}
	u := s.login(name, goodPassword)
	u.id = u.get(apiBase + "/users/me").want(200).number("id")
	return u
}

func (s *server) login(name, password string) user {
	s.t.Helper()
	a := s.client().post(apiBase+"/auth/login", map[string]string{"username": name, "password": password}).want(200)
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	token := a.text("access_token")
	return user{client: s.client().as(token), name: name, token: token, cookie: cookie}
}

// browser returns a client with the cookie but no token.
func (u user) browser() client {
	return client{t: u.t, ctx: context.Background(), url: u.url, header: http.Header{"Cookie": {u.cookie}}}
}

// TestContractErrors checks the errors of every kind of route.
func TestContractErrors(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna := s.register("anna")
	post := anna.post(apiBase+"/posts", map[string]any{"title": "One post", "content": "x"}).want(201)
	one := fmt.Sprintf("%s/posts/%d", apiBase, post.number("id"))
	form := anna.with("Content-Type", "multipart/form-data; boundary=x")
	deep := `{"title":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`

	for _, c := range []struct {
		client client
		method string
		path   string
		body   any
		status int
		text   string
		fields string
	}{
		// Errors of all fields are reported together.
		{anna.client, "POST", "/api/v1/posts", `{}`, 422, "Validation error", "title content"},
		{anna.client, "POST", "/api/v1/posts", `{"title":"ab","content":""}`, 422, "Validation error", "title content"},
		{anna.client, "POST", "/api/v1/posts", `{"title":7,"content":["x"],"published":"yes","category":3}`, 422, "Validation error", "category content published title"},
		{anna.client, "PATCH", one, `{"title":"ab","published":"yes"}`, 422, "Validation error", "published title"},
		{s.client(), "POST", "/api/v1/users", `{"username":"ab","email":"x","password":"short"}`, 422, "Validation error", "username email password"},
		{s.client(), "POST", "/api/v1/users", `{}`, 422, "Validation error", "username email password"},
		{anna.client, "POST", "/api/v1/users/me/change-password", `{"old_password":"","new_password":"short"}`, 422, "Validation error", "old_password new_password"},
		{s.client(), "POST", "/api/v1/auth/reset-password", `{"token":"","password":"short"}`, 422, "Validation error", "token password"},
		{s.client(), "POST", "/api/v1/auth/login", `{}`, 422, "Validation error", "username password"},
		{s.client(), "POST", "/session/login", `{"username":null}`, 422, "Validation error", "username password"},
		{s.client(), "POST", "/json", `{}`, 422, "Validation error", "name age"},
		{s.client(), "POST", "/users", `{}`, 422, "Validation error", "username email password full_name"},
		// The query string.
		{anna.client, "GET", "/api/v1/posts?page=0&limit=101&order=up&sort=secret&published=maybe", nil, 422, "Invalid query parameters", "page limit order sort published"},
		{anna.client, "GET", "/api/v1/users?limit=x", nil, 422, "Invalid query parameters", "limit"},
		{s.client(), "GET", "/users?limit=-1", nil, 422, "Invalid query parameters", "limit"},
		{anna.client, "GET", "/api/v1/posts?cursor=rubbish", nil, 422, "Invalid query parameters", "cursor"},
		// Invalid, incomplete or oversized JSON.
		{anna.client, "POST", "/api/v1/posts", `{"title":`, 400, "", ""},
		{anna.client, "POST", "/api/v1/posts", ``, 400, "", ""},
		{anna.client, "POST", "/api/v1/posts", `{"title":"Fine","content":"x"} {}`, 400, "", ""},
		{anna.client, "POST", "/api/v1/posts", `[]`, 422, "Validation error", "body"},
		{anna.client, "POST", "/api/v1/posts", `null`, 422, "Validation error", "body"},
		{anna.client, "POST", "/api/v1/posts", "{\"title\":\"\xff\xfe\",\"content\":\"x\"}", 400, "", ""},
		{anna.client, "POST", "/api/v1/posts", deep, 400, "", ""},
		{anna.client, "POST", "/api/v1/posts", `{"title":"` + strings.Repeat("a", 2<<20) + `"}`, 413, "", ""},
		{anna.client, "POST", "/api/v1/posts", raw(`{"title":"Fine","content":"x"}`), 415, "", ""},
		{anna.with("Content-Type", "text/plain"), "POST", "/api/v1/posts", `{"title":"Fine","content":"x"}`, 415, "", ""},
		{anna.with("Content-Type", "application/x-www-form-urlencoded"), "POST", "/api/v1/auth/login", `username=anna`, 415, "", ""},
		{s.client().with("Content-Type", "text/plain"), "POST", "/json", `{}`, 415, "", ""},
		{anna.client, "POST", "/api/v1/files/upload", `{}`, 400, "No file uploaded", ""},
		{form, "POST", "/api/v1/files/upload", "--x--\r\n", 400, "No file uploaded", ""},
		// Paths that match no route.
		{anna.client, "GET", "/api/v1/users/abc", nil, 404, "", ""},
		{s.client(), "GET", "/api/v1/users/abc", nil, 404, "", ""},
		{anna.client, "GET", "/api/v1/users/0", nil, 404, "", ""},
		{anna.client, "GET", "/api/v1/users/-1", nil, 404, "", ""},
		{anna.client, "GET", "/api/v1/users/99999999999999999999", nil, 404, "", ""},
		{anna.client, "GET", "/api/v1/posts/1%00", nil, 404, "", ""},
		{anna.client, "DELETE", "/api/v1/posts/abc", nil, 404, "", ""},
		{anna.client, "PUT", "/api/v1/posts/999", `{"title":"Fine"}`, 404, "Post not found", ""},
		{anna.client, "GET", "/api/v1/posts/999", nil, 404, "Post not found", ""},
		{anna.client, "GET", "/api/v1/users/999", nil, 404, "User not found", ""},
		{anna.client, "GET", "/api/v1/files/none", nil, 404, "File not found", ""},
		{s.client(), "GET", "/api/items/x", nil, 404, "", ""},
		{s.client(), "GET", "/products/1.5", nil, 404, "", ""},
		{s.client(), "GET", "/nowhere", nil, 404, "", ""},
		{s.client(), "GET", "/api/v1/nowhere", nil, 404, "", ""},
		{s.client(), "GET", "/api/v1/posts/", nil, 404, "", ""},
		{s.client(), "GET", "/docs/nowhere.js", nil, 404, "", ""},
		{s.client(), "GET", "/static/nowhere.css", nil, 404, "", ""},
		{s.client(), "GET", "/static/../app.go", nil, 404, "", ""},
		// Methods.
		{s.client(), "DELETE", "/api/v1/posts", nil, 405, "", ""},
		{s.client(), "POST", "/api/v1/posts/1", nil, 405, "", ""},
		{s.client(), "PUT", "/api/v1/auth/login", nil, 405, "", ""},
		{s.client(), "POST", "/", nil, 405, "", ""},
		{s.client(), "POST", "/docs", nil, 405, "", ""},
		{s.client(), "DELETE", "/json", nil, 405, "", ""},
		{s.client(), "POST", "/healthz", nil, 405, "", ""},
		// Unauthenticated.
		{s.client(), "GET", "/api/v1/posts", nil, 401, "", ""},
		{s.client(), "POST", "/api/v1/posts", `{`, 401, "", ""},
		{s.client(), "GET", "/api/v1/users", nil, 401, "", ""},
		{s.client(), "POST", "/api/v1/files/upload", `{}`, 401, "", ""},
		{s.client(), "GET", "/ws/chat/lobby", nil, 401, "", ""},
		{s.client(), "GET", "/protected", nil, 401, "Not authenticated", ""},
		// Invalid handshakes.
		{anna.client, "GET", "/ws/chat/lobby", nil, 426, "", ""},
		{s.client(), "GET", "/ws", nil, 426, "", ""},
		{anna.client, "GET", "/ws/chat/" + strings.Repeat("r", 300), nil, 404, "", ""},
	} {
		a := c.client.do(c.method, c.path, c.body)
		a.what = fmt.Sprintf("%s with %.60v", a.what, c.body)
		if wrong := a.fault(c.status); wrong != "" {
			t.Errorf("%s: want %d: %s", a.what, c.status, wrong)
			continue
		}
		if c.text != "" && a.text("error") != c.text {
			t.Errorf("%s: error %q, want %q", a.what, a.text("error"), c.text)
		}
		want := strings.Fields(c.fields)
		slices.Sort(want)
		if got := a.fields(); got != strings.Join(want, " ") {
			t.Errorf("%s: details of %q, want %q", a.what, got, c.fields)
		}
		if c.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", a.what)
		}
		if c.status == 401 && a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", a.what)
		}
		if parser := regexp.MustCompile(`(?i)json:|unmarshal|invalid character|strconv|gorm|sqlite|constraint|\.go:|goroutine`).Find(a.body); parser != nil {
			t.Errorf("%s: the response quotes %q: %s", a.what, parser, a.body)
		}
	}
	s.client().get("/healthz").want(200)
}

// TestContractSlowClients: incomplete bodies and headers time out, and the server keeps
// running.
func TestContractSlowClients(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	begin := time.Now()
	_ = conn.SetReadDeadline(begin.Add(15 * time.Second))
	text, err := io.ReadAll(conn)
	if took := time.Since(begin); err != nil || took > 12*time.Second {
		t.Errorf("endless headers: open after %s, %v, %s", took, err, text)
	}
	s.client().get("/healthz").want(200)
}

// TestContractStops: on SIGTERM active requests complete, and the process exits within ten
// seconds.
func TestContractStops(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna := s.register("anna")
	body, feed := io.Pipe()
	// The server sends 100 when it reads the body: the request is active then.
	reads := make(chan struct{})
	anna.ctx = httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reads) }})
	upload := make(chan response, 1)
	go func() {
		upload <- anna.with("Content-Type", "multipart/form-data; boundary=x").with("Expect", "100-continue").post(apiBase+"/files/upload", body)
	}()
	_, _ = io.WriteString(feed, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nbegin ")
	select {
	case <-reads:
	case <-time.After(30 * time.Second):
		t.Fatal("no 100 Continue after 30 s")
	}
	begin := time.Now()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "closed door", func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	_, _ = io.WriteString(feed, "end\r\n--x--\r\n")
	feed.Close()
	if a := <-upload; a.status != 201 || a.number("size") != len("begin end") {
		t.Errorf("the active upload: %d %v %s", a.status, a.err, a.body)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("exit status: %v", err)
		}
	case <-time.After(time.Until(begin.Add(10 * time.Second))):
		t.Error("still running after 10 s")
	}
}
