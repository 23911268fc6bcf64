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

// The tests named TestContract say what the guide project promises over HTTP
// and on its command line. They know its binary and nothing of its code.

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

// blog is the guide's binary in a folder of its own, with settings of its own.
type blog struct {
	t   testing.TB
	exe string
	dir string
	env []string
}

// newBlog returns a blog that nobody limits and that has an empty SQLite file;
// settings are added to that.
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

// server is a blog that serves.
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

// serve starts the blog and waits until it answers; it ends with the test.
func (b blog) serve() *server {
	b.t.Helper()
	s := b.start()
	eventually(b.t, 10*time.Second, "readiness", func() bool { return s.try("GET", "/readyz", nil).status == 200 })
	return s
}

// start starts the blog and waits until it listens; it ends with the test.
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
			b.t.Logf("its log ended:\n%s", text[max(0, len(text)-3000):])
		}
	})
	select {
	case s.addr = <-found:
	case err := <-s.ended:
		b.t.Fatalf("it does not start: %v\n%s", err, s.log)
	case <-time.After(20 * time.Second):
		b.t.Fatalf("it does not listen after 20 s:\n%s", s.log)
	}
	s.url = "http://" + s.addr
	return s
}

// guideServer is newBlog, served.
func guideServer(t testing.TB, settings ...string) *server {
	t.Helper()
	return newBlog(t, settings...).serve()
}

// eventually waits until something is so.
func eventually(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within %s", what, limit)
		}
	}
}

// logs waits until the log has every one of the texts: an answer may be here
// before what was logged of it.
func (s *server) logs(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		eventually(s.t, 10*time.Second, text+" in the log", func() bool { return strings.Contains(s.log.String(), text) })
	}
}

// client sends requests with headers of its own.
type client struct {
	t      testing.TB
	ctx    context.Context
	url    string
	header http.Header
}

// answer is what came back.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   []byte
	err    error
}

// transport neither asks for compression nor keeps cookies nor follows.
var transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 50}

func (s *server) client() client {
	return client{t: s.t, ctx: context.Background(), url: s.url, header: http.Header{}}
}

func (s *server) try(method, path string, body any) answer { return s.client().do(method, path, body) }

// of is the same client for a subtest.
func (c client) of(t testing.TB) client { c.t = t; return c }

// with is a client that sends one header more; "Host" is the host.
func (c client) with(pairs ...string) client {
	c.header = c.header.Clone()
	for i := 0; i < len(pairs); i += 2 {
		c.header.Set(pairs[i], pairs[i+1])
	}
	return c
}

func (c client) as(token string) client { return c.with("Authorization", "Bearer "+token) }

// raw is a body that is sent as it is, without a content type.
type raw string

// do sends a request: a body that is a string is JSON text, anything else is
// made JSON, and nil is none.
func (c client) do(method, path string, body any) answer {
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
	a := answer{t: c.t, what: method + " " + path}
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

func (c client) get(path string) answer             { c.t.Helper(); return c.do("GET", path, nil) }
func (c client) post(path string, body any) answer  { c.t.Helper(); return c.do("POST", path, body) }
func (c client) put(path string, body any) answer   { c.t.Helper(); return c.do("PUT", path, body) }
func (c client) patch(path string, body any) answer { c.t.Helper(); return c.do("PATCH", path, body) }
func (c client) delete(path string) answer          { c.t.Helper(); return c.do("DELETE", path, nil) }

// want ends the test unless the answer has one of the statuses.
func (a answer) want(status ...int) answer {
	a.t.Helper()
	for _, s := range status {
		if a.err == nil && a.status == s {
			return a
		}
	}
	a.t.Fatalf("%s: %d, want %v; %v\n%.2000s", a.what, a.status, status, a.err, a.body)
	return a
}

// json is the answer's object.
func (a answer) json() map[string]any {
	a.t.Helper()
	var object map[string]any
	if err := json.Unmarshal(a.body, &object); err != nil {
		a.t.Fatalf("%s: not an object: %v\n%.500s", a.what, err, a.body)
	}
	return object
}

func (a answer) text(name string) string { a.t.Helper(); s, _ := a.json()[name].(string); return s }

func (a answer) number(name string) int {
	a.t.Helper()
	n, _ := a.json()[name].(float64)
	return int(n)
}

// items are the rows of a list.
func (a answer) items() []map[string]any {
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

// fault says how an answer differs from the one shape of errors.
func (a answer) fault(status int) string {
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

// wantFault ends the test unless the answer is an error of that status and
// text, in the one shape; an empty text is any.
func (a answer) wantFault(status int, text string) answer {
	a.t.Helper()
	if wrong := a.fault(status); wrong != "" {
		a.t.Fatalf("%s: want an error %d: %s", a.what, status, wrong)
	}
	if text != "" && a.text("error") != text {
		a.t.Fatalf("%s: error %q, want %q", a.what, a.text("error"), text)
	}
	return a
}

// fields are those that details speak of, sorted and once.
func (a answer) fields() string {
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

// goodPassword passes the policy.
const goodPassword = "Correct-Horse-7"

const apiBase = "/api/v1"

func registration(username string) map[string]any {
	return map[string]any{"username": username, "email": username + "@example.com", "password": goodPassword}
}

// user is somebody who has logged in.
type user struct {
	client
	id     int
	name   string
	token  string
	cookie string // refresh_token=...
}

// register makes a user and logs him in.
func (s *server) register(name string) user {
	s.t.Helper()
	id := s.client().post(apiBase+"/users", registration(name)).want(201).number("id")
	u := s.login(name, goodPassword)
	u.id = id
	return u
}

// admin makes an administrator by the command and logs him in.
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

// browser is a client that has the cookie and no token.
func (u user) browser() client {
	return client{t: u.t, ctx: context.Background(), url: u.url, header: http.Header{"Cookie": {u.cookie}}}
}

// TestContractErrors walks the table of errors through every kind of route.
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
		// All fields at once.
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
		// What is not JSON, not enough of it, or too much.
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
		// Who asks is not known.
		{s.client(), "GET", "/api/v1/posts", nil, 401, "", ""},
		{s.client(), "POST", "/api/v1/posts", `{`, 401, "", ""},
		{s.client(), "GET", "/api/v1/users", nil, 401, "", ""},
		{s.client(), "POST", "/api/v1/files/upload", `{}`, 401, "", ""},
		{s.client(), "GET", "/ws/chat/lobby", nil, 401, "", ""},
		{s.client(), "GET", "/protected", nil, 401, "Not authenticated", ""},
		// A handshake that is none.
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
			t.Errorf("%s: the answer quotes %q: %s", a.what, parser, a.body)
		}
	}
	s.client().get("/healthz").want(200)
}

// TestContractSlowClients: bodies and headers that do not come are cut, and
// the server lives.
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
		t.Errorf("headers that do not end: open after %s, %v, %s", took, err, text)
	}
	s.client().get("/healthz").want(200)
}

// TestContractStops: SIGTERM lets a request under way end, and the process
// exits within ten seconds.
func TestContractStops(t *testing.T) {
	t.Parallel()
	s := guideServer(t)
	anna := s.register("anna")
	body, feed := io.Pipe()
	// The server says 100 when it reads the body: the request is under way then.
	reads := make(chan struct{})
	anna.ctx = httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reads) }})
	upload := make(chan answer, 1)
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
		t.Errorf("the upload under way: %d %v %s", a.status, a.err, a.body)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(time.Until(begin.Add(10 * time.Second))):
		t.Error("it runs after 10 s")
	}
}
